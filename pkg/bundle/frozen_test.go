package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// TestIdentitiesAreFrozen: an identity that changes has every bundle of every
// repository read and written anew, which an upgrade must not do. If it has to
// change, change identityFormat and say so in the changelog.
func TestIdentitiesAreFrozen(t *testing.T) {
	tree := files("a/fleet.yaml", "name: shop\n", "a/b/c/x.yaml", configMap, "a/b/c/d/fleet.yaml", "{}\n", "a/b/c/d/y.yaml", configMap,
		".fleetignore", "*.bak\n", "a/b/.fleetignore", "*.tmp\n")
	want := map[string]string{
		"shop":         "t6RLus7yIlaOzXPOsyyk1cJYCK8RZPF6cjT79SPareg",
		"repo-a-b-c-d": "-dyQLeE3RU6JTgki6Wrl7jyo12sOPJ7oYj14n-YM7G0",
	}
	r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{TargetNamespace: "x"}})
	if diff := cmp.Diff(want, known(r)); diff != "" {
		t.Errorf("identities (-want +got):\n%s", diff)
	}
}
