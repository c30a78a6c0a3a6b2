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
			in := randomTenant(r)
			in.Name, in.Spec = id, randomSpec(r)
			bundles[id] = compileInput(t, in)
			ix.Set(id, bundles[id])
		}
		g := targets.NewGroups(randomGroups(r))
		before := randomGuest(r)
		after := before
		after.Labels = randomLabels(r)
		if r.IntN(2) == 0 {
			after.WorkspaceLabels = randomGuest(r).WorkspaceLabels
		}
		named := ix.ClusterChanged(before, after, g)
		for id, c := range bundles {
			b, a := c.Resolve(before, g), c.Resolve(after, g)
			if (b.Matched != a.Matched || b.OptionsDigest != a.OptionsDigest || (b.Err == nil) != (a.Err == nil)) && !slices.Contains(named, id) {
				t.Fatalf("seed %d: %s decides anew and is not named: %+v -> %+v", seed, id, before, after)
			}
			if (b.Matched || a.Matched) && !slices.Contains(ix.InWorkspace(after.Workspace), id) {
				t.Fatalf("seed %d: %s reaches workspace %s and is not named there", seed, id, after.Workspace)
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

func TestTheIndexNamesWhatAMappingBringsIn(t *testing.T) {
	ix := targets.NewIndex()
	lets := []targets.Mapping{{Name: "eu", BundleSelector: labels(), NamespaceSelector: labels("site", "eu")}}
	by := func(workspace string, mappings []targets.Mapping, c v1alpha1.Criteria) *targets.Compiled {
		return compileInput(t, targets.Input{Workspace: workspace, Spec: v1alpha1.BundleSpec{Targets: to(c)}, Mappings: mappings})
	}
	ix.Set("own", by("edge", nil, v1alpha1.Criteria{ClusterSelector: labels("env", "prod")}))
	ix.Set("mapped", by("team", lets, v1alpha1.Criteria{ClusterSelector: labels("env", "prod")}))
	ix.Set("mapped-group", by("team", lets, inGroup("prod")))
	ix.Set("unmapped", by("team", nil, v1alpha1.Criteria{ClusterSelector: labels("env", "prod")}))
	ix.Set("bystander", by("team", lets, v1alpha1.Criteria{ClusterSelector: labels("region", "x")}))
	prod := group("prod", labels("env", "prod"))
	prod.Workspace = "edge"
	groups := targets.NewGroups([]targets.Group{prod})
	moved := func(site string) []string {
		before := guest("site", site)
		after := before
		after.Labels = map[string]string{"env": "prod"}
		return ix.ClusterChanged(before, after, groups)
	}
	for what, c := range map[string]struct{ want, got []string }{
		"a label moved where a mapping reaches": {[]string{"mapped", "mapped-group", "own"}, moved("eu")},
		"a label moved elsewhere":               {[]string{"own"}, moved("us")},
		"the workspace is opened":               {[]string{"bystander", "mapped", "mapped-group"}, ix.WorkspaceChanged("edge", guest("site", "us").WorkspaceLabels, guest("site", "eu").WorkspaceLabels)},
		"another label of the workspace":        {nil, ix.WorkspaceChanged("edge", guest("site", "eu").WorkspaceLabels, guest("site", "eu", "x", "y").WorkspaceLabels)},
		"it is no workspace any more":           {[]string{"bystander", "mapped", "mapped-group"}, ix.WorkspaceChanged("edge", guest("site", "eu").WorkspaceLabels, map[string]string{"site": "eu"})},
		"a group of the cluster's workspace":    {[]string{"mapped-group"}, ix.GroupChanged("edge", "prod")},
		"a cluster comes":                       {[]string{"bystander", "mapped", "mapped-group", "own"}, ix.InWorkspace("edge")},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	ix.Delete("mapped")
	if diff := cmp.Diff([]string{"mapped-group", "own"}, moved("eu")); diff != "" {
		t.Errorf("after a delete (-want +got):\n%s", diff)
	}
}
