package bundle_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

const noObject = "{apiVersion: v1, kind: ConfigMap}\n"

// TestAFaultDoesNotGiveANameAway: a healthy directory must not deploy its objects
// under the name of one that is broken at the moment.
func TestAFaultDoesNotGiveANameAway(t *testing.T) {
	same := func(b string) fstest.MapFS {
		return files("a/fleet.yaml", "name: same\n", "a/a.yaml", configMap, "b/fleet.yaml", b, "b/b.yaml", noObject)
	}
	tests := map[string]struct {
		tree       fstest.MapFS
		live       map[string]string
		broken     []string
		problemsAt []string
		healthy    string
	}{
		"both say it": {tree: same("name: same\n"), broken: []string{"same"}, problemsAt: []string{"a/fleet.yaml", "b/fleet.yaml"}},
		"the broken one says it by its path": {tree: files("a/fleet.yaml", "name: repo-b\n", "a/a.yaml", configMap, "b/fleet.yaml", "labels: {x: y}\n", "b/b.yaml", noObject),
			broken: []string{"repo-b"}, problemsAt: []string{"a/fleet.yaml", "b"}},
		"the broken one is live under it": {tree: same("nmae: x\n"), live: map[string]string{"same": "b"},
			broken: []string{"repo-b", "same"}, problemsAt: []string{"a/fleet.yaml"}},
		"the broken one was live under it": {tree: same("name: other\n"), live: map[string]string{"same": "b"},
			broken: []string{"other", "same"}, problemsAt: []string{"a/fleet.yaml"}},
		"what is held for it keeps its own too": {tree: files("a/fleet.yaml", "name: same\n", "a/a.yaml", configMap,
			"b/fleet.yaml", "name: other\n", "b/b.yaml", noObject, "c/fleet.yaml", "name: first\n", "c/c.yaml", configMap),
			live:   map[string]string{"same": "b", "first": "a"},
			broken: []string{"first", "other", "same"}, problemsAt: []string{"a/fleet.yaml", "c/fleet.yaml"}},
		"the name is live where it is healthy": {tree: same("name: other\n"), live: map[string]string{"same": "a", "old": "b"},
			broken: []string{"old", "other"}, healthy: "same"},
		"renamed in its directory": {tree: files("a/fleet.yaml", "name: new\n", "a/a.yaml", configMap), live: map[string]string{"old": "a"}, healthy: "new"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := bundle.Load(bundle.DirTree(test.tree), bundle.Repo{Name: "repo", LivePaths: test.live})
			if diff := cmp.Diff(test.broken, r.Broken); diff != "" {
				t.Errorf("broken (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.problemsAt, placesOf(r, bundle.CodeDuplicateName)); diff != "" {
				t.Errorf("said at (-want +got):\n%s", diff)
			}
			if got := namesOf(r); got != test.healthy {
				t.Errorf("healthy %q, want %q", got, test.healthy)
			}
		})
	}
}

// TestTwoOptionsFilesOfOneDirectoryAreTwoBundles: that one of them is broken is
// nothing to the other, unless both mean the same name.
func TestTwoOptionsFilesOfOneDirectoryAreTwoBundles(t *testing.T) {
	tree := files("a/one.yaml", "name: one\n", "a/two.yaml", "name: two\nnmespace: x\n", "a/cm.yaml", configMap)
	spec := v1alpha1.GitRepoSpec{Bundles: []v1alpha1.BundlePath{{Base: "a", Options: "one.yaml"}, {Base: "a", Options: "two.yaml"}}}
	repo := bundle.Repo{Name: "repo", Spec: spec, LivePaths: map[string]string{"one": "a", "two": "a"}}
	r := bundle.Load(bundle.DirTree(tree), repo)
	if diff := cmp.Diff([]string{"two"}, r.Broken); diff != "" || namesOf(r) != "one" {
		t.Errorf("healthy %q, broken (-want +got):\n%s", namesOf(r), diff)
	}
	tree["a/two.yaml"].Data = []byte("name: one\nnmespace: x\n")
	r = bundle.Load(bundle.DirTree(tree), repo)
	if diff := cmp.Diff([]string{"one", "two"}, r.Broken); diff != "" || namesOf(r) != "" {
		t.Errorf("the same name: healthy %q, broken (-want +got):\n%s", namesOf(r), diff)
	}
}

// TestAHeldBundleDoesNotGiveItsLiveNameAway: what Deployable takes out is live still.
func TestAHeldBundleDoesNotGiveItsLiveNameAway(t *testing.T) {
	tree := files("a/fleet.yaml", "name: shop\n", "a/a.yaml", configMap, "b/fleet.yaml", "name: other\ndependsOn: [{name: x}]\n", "b/b.yaml", configMap)
	r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", LivePaths: map[string]string{"shop": "b"}})
	if namesOf(r) != "other shop" {
		t.Fatalf("healthy %q", namesOf(r))
	}
	d := r.Deployable()
	if diff := cmp.Diff([]string{"other", "shop"}, d.Broken); diff != "" || namesOf(d) != "" {
		t.Errorf("healthy %q, broken (-want +got):\n%s", namesOf(d), diff)
	}
	if namesOf(r) != "other shop" || r.Broken != nil {
		t.Error("what was asked changed")
	}
}

func placesOf(r bundle.Result, code string) []string {
	var out []string
	for _, p := range r.Problems {
		if p.Code == code {
			out = append(out, p.File)
		}
	}
	return out
}

func namesOf(r bundle.Result) string {
	var out []string
	for _, b := range r.Bundles {
		out = append(out, b.Name)
	}
	return strings.Join(out, " ")
}
