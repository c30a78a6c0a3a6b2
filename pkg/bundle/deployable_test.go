package bundle_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/bundle"
)

// TestDeployableKeepsWhatIsLiveInTheDirectory: a bundle that is held and has been
// renamed in the same commit must not remove the one that is live under the old name.
func TestDeployableKeepsWhatIsLiveInTheDirectory(t *testing.T) {
	tree := files("a/fleet.yaml", "name: new\ndependsOn: [{name: b}]\n", "a/a.yaml", configMap, "b/fleet.yaml", "name: b\n", "b/b.yaml", configMap)
	r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", LivePaths: map[string]string{"old": "a", "b": "b"}})
	d := r.Deployable()
	if diff := cmp.Diff([]string{"new", "old"}, d.Broken); diff != "" || len(d.Bundles) != 1 || d.Bundles[0].Name != "b" {
		t.Errorf("bundles %v, broken (-want +got):\n%s", d.Bundles, diff)
	}
	if len(r.Bundles) != 2 || r.Broken != nil {
		t.Errorf("what was asked changed: %d bundles, broken %v", len(r.Bundles), r.Broken)
	}
}

// TestDeployableSaysWhyEvenWhenThereIsMuchToSay: more warnings than are kept do
// not hide an error.
func TestDeployableSaysWhyEvenWhenThereIsMuchToSay(t *testing.T) {
	var text strings.Builder
	text.WriteString("targetCustomizations:\n")
	for i := range 200 {
		fmt.Fprintf(&text, "- {clusterName: c%d, helm: {maxHistory: 3}}\n", i)
	}
	tree := files("fleet.yaml", text.String()+"dependsOn: [{name: b}]\n", "a.yaml", configMap)
	d := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo"}).Deployable()
	errors := 0
	for _, p := range d.Problems {
		if p.Severity == bundle.Error {
			errors++
		}
	}
	if len(d.Bundles) != 0 || len(d.Broken) != 1 || errors != 1 {
		t.Errorf("bundles %d, broken %v, errors %d", len(d.Bundles), d.Broken, errors)
	}
	tree["b.yaml"] = files("b.yaml", "a: [\n")["b.yaml"]
	r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo"})
	if len(r.Bundles) != 0 || len(r.Problems) != 100 {
		t.Errorf("a manifest that does not parse is lost among warnings: %d bundles, %d problems", len(r.Bundles), len(r.Problems))
	}
}

// TestAHeldBundleIsReadOnce: what cannot be deployed is not live, and must not be
// read again by every Load for that.
func TestAHeldBundleIsReadOnce(t *testing.T) {
	tree := files("a/fleet.yaml", "dependsOn: [{name: b}]\n", "a/a.yaml", configMap)
	repo := bundle.Repo{Name: "repo", Cache: &bundle.Cache{}}
	first := bundle.Load(counting(tree), repo).Deployable()
	c := counting(tree)
	second := bundle.Load(c, repo).Deployable()
	if len(c.opened) != 0 {
		t.Errorf("opened %v", c.opened)
	}
	if diff := cmp.Diff(first.Problems, second.Problems); diff != "" || len(second.Problems) != 1 {
		t.Errorf("problems (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"repo-a"}, second.Broken); diff != "" {
		t.Errorf("broken (-want +got):\n%s", diff)
	}
}
