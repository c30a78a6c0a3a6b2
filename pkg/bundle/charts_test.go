package bundle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

func TestAChartHasOnePlaceAndOneLock(t *testing.T) {
	ref := bundle.ChartRef{Repo: "https://charts.example", Chart: "app", Version: "1.x"}
	if got := ref.File(); !strings.HasPrefix(got, ".muster/charts/") || !strings.HasSuffix(got, ".tgz") || got != ref.File() {
		t.Errorf("file %q", got)
	}
	for _, other := range []bundle.ChartRef{{Repo: ref.Repo, Chart: "app", Version: "2.x"}, {Repo: ref.Repo, Chart: "ap", Version: "p1.x"}, {Chart: "app", Version: "1.x"}} {
		if other.File() == ref.File() {
			t.Errorf("%v and %v have one file", ref, other)
		}
	}
	want := v1alpha1.ChartLock{Repo: ref.Repo, Chart: "app", Version: "1.x", Resolved: "1.2.3", Digest: "sha256:00"}
	if diff := cmp.Diff(want, ref.Lock("1.2.3", "sha256:00")); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
}

// chooses is a spec in which n customizations each choose a version of their own
// and, of another chart's, m a repository.
func chooses(mode v1alpha1.CustomizationMode, versions, repos int) v1alpha1.BundleSpec {
	text := func(s string) *string { return &s }
	spec := v1alpha1.BundleSpec{TargetCustomizationMode: mode}
	spec.Helm = &v1alpha1.HelmOptions{Chart: text("app"), Repo: text("https://charts.example")}
	for i := range versions {
		spec.TargetCustomizations = append(spec.TargetCustomizations, v1alpha1.Customization{
			Criteria:      v1alpha1.Criteria{ClusterName: fmt.Sprint("v", i)},
			BundleOptions: v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{Version: text(fmt.Sprintf("1.%d.0", i))}},
		})
	}
	for i := range repos {
		spec.TargetCustomizations = append(spec.TargetCustomizations, v1alpha1.Customization{
			Criteria:      v1alpha1.Criteria{ClusterName: fmt.Sprint("r", i)},
			BundleOptions: v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{Repo: text(fmt.Sprintf("https://r%d.example", i))}},
		})
	}
	return spec
}

func TestRemoteChartsCountsEveryCombinationOnce(t *testing.T) {
	tests := map[string]struct {
		spec v1alpha1.BundleSpec
		want int
	}{
		"the first match":   {chooses(v1alpha1.FirstMatch, 4, 3), 1 + 4 + 3},
		"all matches":       {chooses(v1alpha1.AllMatches, 4, 3), (1 + 4) * (1 + 3)},
		"the same again":    {chooses(v1alpha1.AllMatches, 1, 0), 2},
		"more than a chart": {chooses(v1alpha1.AllMatches, 20, 20), 100},
	}
	for name, test := range tests {
		refs := bundle.RemoteCharts(nil, test.spec)
		if len(refs) != test.want || !slices.IsSortedFunc(refs, compareRefs) {
			t.Errorf("%s: %d charts, want %d sorted: %v", name, len(refs), test.want, refs)
		}
		seen := map[string]bool{}
		for _, r := range refs {
			if seen[r.File()] {
				t.Errorf("%s: %v is there twice", name, r)
			}
			seen[r.File()] = true
		}
	}
}

func compareRefs(a, b bundle.ChartRef) int {
	return strings.Compare(fmt.Sprint(a.Repo, "\n", a.Chart, "\n", a.Version), fmt.Sprint(b.Repo, "\n", b.Chart, "\n", b.Version))
}

// TestTooManyChartsBreakTheBundle: leaving some of them out would render them missing.
func TestTooManyChartsBreakTheBundle(t *testing.T) {
	var text strings.Builder
	text.WriteString("helm: {chart: app, repo: 'https://charts.example'}\ntargetCustomizations:\n")
	for i := range 101 {
		fmt.Fprintf(&text, "- {clusterName: c%d, helm: {version: 1.%d.0}}\n", i, i)
	}
	r := load(files("fleet.yaml", text.String()), v1alpha1.GitRepoSpec{})
	if len(r.Bundles) != 0 || len(r.Problems) != 1 || r.Problems[0].Code != bundle.CodeTooLarge || r.Problems[0].Line != 2 {
		t.Errorf("got %+v", r)
	}
}

// TestTooManyDependenciesBreakTheBundle: their locks could not be stored.
func TestTooManyDependenciesBreakTheBundle(t *testing.T) {
	dependencies := func(n int) string {
		return "name: c\nversion: 1.0.0\ndependencies:\n" + repeat(n, "- {name: d%d, version: 1.x, repository: 'https://c.example'}\n")
	}
	if r := load(files("Chart.yaml", dependencies(100)), v1alpha1.GitRepoSpec{}); len(r.Bundles) != 1 {
		t.Errorf("100 are refused: %v", r.Problems)
	}
	r := load(files("Chart.yaml", dependencies(101)), v1alpha1.GitRepoSpec{})
	if len(r.Bundles) != 0 || len(r.Problems) != 1 || r.Problems[0].Code != bundle.CodeTooLarge {
		t.Errorf("101 are accepted: %v", r.Problems)
	}
}

func TestRemoteChartSaysWhatMergedOptionsName(t *testing.T) {
	text := func(s string) *string { return &s }
	tests := map[string]struct {
		helm *v1alpha1.HelmOptions
		want *bundle.ChartRef
	}{
		"nothing":                    {nil, nil},
		"a directory":                {&v1alpha1.HelmOptions{Chart: text("charts/app"), Version: text("1.x")}, nil},
		"a reset":                    {&v1alpha1.HelmOptions{Chart: text("-"), Repo: text("https://r.example")}, nil},
		"a repository":               {&v1alpha1.HelmOptions{Chart: text("app"), Repo: text("https://r.example")}, &bundle.ChartRef{Repo: "https://r.example", Chart: "app"}},
		"a repository that is reset": {&v1alpha1.HelmOptions{Chart: text("app"), Repo: text("-")}, nil},
		"a registry":                 {&v1alpha1.HelmOptions{Chart: text("oci://r.example/app"), Repo: text("https://r.example"), Version: text("1.x")}, &bundle.ChartRef{Chart: "oci://r.example/app", Version: "1.x"}},
		"an archive":                 {&v1alpha1.HelmOptions{Chart: text("https://r.example/app.tgz")}, &bundle.ChartRef{Chart: "https://r.example/app.tgz"}},
		"something else":             {&v1alpha1.HelmOptions{Chart: text("git::https://r.example/app")}, nil},
	}
	for name, test := range tests {
		ref, remote := bundle.RemoteChart(v1alpha1.BundleOptions{Helm: test.helm})
		if remote != (test.want != nil) || remote && ref != *test.want {
			t.Errorf("%s: %+v %t, want %+v", name, ref, remote, test.want)
		}
	}
}

// repeat writes a line n times with its number filled in.
func repeat(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}
