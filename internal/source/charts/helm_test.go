package charts_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	helmregistry "helm.sh/helm/v3/pkg/registry"
	"helm.sh/helm/v3/pkg/repo"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/bundle"
)

// Helm's own choice is the oracle: any set of versions, any constraint.
func TestVersionsAgreeWithHelm(t *testing.T) {
	constraints := []string{"", "*", "1", "1.x", "^1.2", "~1.2.1", ">=1 <2", ">1.0.0-0", "^2.0.0-alpha", "!=1.2.3", "1.2.3", "v1.2.3", "1.2.3-rc.1", "1 || 3", "1.0 - 1.2", "=1.1", ">=0.0.0-0", "<1, >3", "0.x"}
	f := charts.New(impatient())
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 0))
		offered := someVersions(random)
		web := newServer(t)
		web.publish(t, "", "app", offered...)
		theirs := repo.NewIndexFile()
		for _, version := range offered {
			md := &chart.Metadata{APIVersion: "v2", Name: "app", Version: version}
			if err := theirs.MustAdd(md, "app-"+version+".tgz", "", ""); err != nil {
				t.Fatal(err)
			}
		}
		theirs.SortEntries()
		for _, constraint := range constraints {
			want := ""
			if chosen, err := theirs.Get("app", constraint); err == nil {
				want = chosen.Version
			}
			lock, err := f.Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app", Version: constraint}, charts.Credential{})
			if lock.Resolved != want || (err == nil) != (want != "") {
				t.Errorf("seed %d: %q of %v: got %q (%v), Helm takes %q", seed, constraint, offered, lock.Resolved, err, want)
			}
		}
	}
}

// someVersions are distinct ones; those that differ in build metadata only are left out, since Helm's choice among them
// is by chance.
func someVersions(random *rand.Rand) []string {
	seen := map[string]bool{}
	var versions []string
	for range 1 + random.IntN(8) {
		version := fmt.Sprintf("%d.%d.%d", random.IntN(4), random.IntN(3), random.IntN(4))
		if random.IntN(3) == 0 {
			version += fmt.Sprintf("-%s.%d", []string{"alpha", "rc"}[random.IntN(2)], random.IntN(3))
		}
		if !seen[version] {
			seen[version] = true
			versions = append(versions, version)
		}
	}
	return versions
}

// Helm's client pulls the same archive from the registry of these tests, so that the registry is like others.
func TestHelmPullsTheSameFromARegistry(t *testing.T) {
	r := newRegistry(t)
	r.push(t, "team/app", "1.2.3+b1", archive(t, "app", "1.2.3+b1"))
	ref := bundle.ChartRef{Chart: r.ref("team/app"), Version: "1.2.3+b1"}
	lock, err := charts.New(impatient()).Resolve(t.Context(), ref, plainHTTP)
	if err != nil {
		t.Fatal(err)
	}
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP())
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := client.Pull(r.Listener.Addr().String() + "/team/app:1.2.3_b1")
	if err != nil {
		t.Fatal(err)
	}
	if pulled.Chart.Digest != lock.Digest || digestOf(pulled.Chart.Data) != lock.Digest {
		t.Errorf("Helm pulled %s, resolved was %s", pulled.Chart.Digest, lock.Digest)
	}
}
