package targets_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
)

// TestTheIndexNamesEveryBundleThatDecidesAnew moves labels of random clusters
// and compares with resolving everything.
func TestTheIndexNamesEveryBundleThatDecidesAnew(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 3))
		ix, bundles := targets.NewIndex(), map[string]*targets.Compiled{}
		for i := range 12 {
			id := fmt.Sprint("b", i)
			bundles[id] = compile(t, randomSpec(r))
			ix.Set(id, bundles[id])
		}
		g := targets.NewGroups(randomGroups(r))
		before := randomCluster(r)
		after := before
		after.Labels = randomLabels(r)
		named := ix.ClusterChanged(before, after, g)
		for id, c := range bundles {
			b, a := c.Resolve(before, g), c.Resolve(after, g)
			if (b.Matched != a.Matched || b.OptionsDigest != a.OptionsDigest) && !slices.Contains(named, id) {
				t.Fatalf("seed %d: %s decides anew and is not named: %v -> %v", seed, id, before.Labels, after.Labels)
			}
		}
		if same := ix.ClusterChanged(before, before, g); len(same) != 0 {
			t.Fatalf("seed %d: nothing changed and %v are named", seed, same)
		}
	}
}

func TestTheIndexNamesOnlyWhatALabelTouches(t *testing.T) {
	ix := targets.NewIndex()
	by := func(c v1alpha1.Criteria) *targets.Compiled { return compile(t, v1alpha1.BundleSpec{Targets: to(c)}) }
	ix.Set("env", by(v1alpha1.Criteria{ClusterSelector: labels("env", "prod")}))
	ix.Set("region", by(v1alpha1.Criteria{ClusterSelector: labels("region", "eu")}))
	ix.Set("group", by(inGroup("eu")))
	ix.Set("other-group", by(inGroup("us")))
	ix.Set("templated", compile(t, v1alpha1.BundleSpec{BundleOptions: values(`{"a":"${ .ClusterName }"}`)}))
	ix.Set("labelled", compile(t, v1alpha1.BundleSpec{BundleOptions: values(`{"a":"global.fleet.clusterLabels.region"}`)}))
	ix.Set("gone", by(v1alpha1.Criteria{ClusterSelector: labels("region", "eu")}))
	ix.Delete("gone")
	groups := targets.NewGroups([]targets.Group{group("eu", labels("region", "eu")), group("us", labels("region", "us"))})
	before := targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{"env": "prod", "region": "ap"}}
	after := before
	after.Labels = map[string]string{"env": "prod", "region": "eu"}
	if diff := cmp.Diff([]string{"group", "labelled", "region", "templated"}, ix.ClusterChanged(before, after, groups)); diff != "" {
		t.Errorf("a label moved (-want +got):\n%s", diff)
	}
	annotated := before
	annotated.Annotations = map[string]string{"x": "y"}
	if diff := cmp.Diff([]string{"templated"}, ix.ClusterChanged(before, annotated, groups)); diff != "" {
		t.Errorf("an annotation changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"other-group"}, ix.GroupChanged("team", "us")); diff != "" {
		t.Errorf("a group changed (-want +got):\n%s", diff)
	}
	if got := len(ix.InWorkspace("team")); got != 6 {
		t.Errorf("workspace has %d bundles, want 6", got)
	}
}
