package hub_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Two paths in one GitRepo are two bundles, and both are deployed.
func TestScenario12TwoPathsInOneGitRepo(t *testing.T) {
	f := follow(t)
	f.create("simple", "more/service")
	f.settled(f.push(map[string]string{"simple/a.yaml": object("simple", "1"), "more/service/a.yaml": object("service", "1")}))
	for _, cluster := range []string{"a", "b"} {
		f.wantSays(cluster, "fleet-more-service@1 fleet-simple@1")
	}
	if got := len(f.repo().Status.Problems); got != 0 {
		t.Errorf("the GitRepo has %d problems: %v", got, f.repo().Status.Problems)
	}
}

// A label that leaves fleet.yaml leaves the Bundle.
func TestScenario15ALabelRemovedFromTheOptionsFile(t *testing.T) {
	f := follow(t)
	f.create("app")
	own := func() map[string]string {
		labels := map[string]string{}
		for _, key := range []string{"new", "kept"} {
			if value, ok := f.mustBundle("fleet-app").Labels[key]; ok {
				labels[key] = value
			}
		}
		return labels
	}
	f.settled(f.push(map[string]string{"app/a.yaml": object("app", "1"), "app/fleet.yaml": "labels: {new: fleet-label2, kept: here}\n"}))
	if diff := cmp.Diff(map[string]string{"new": "fleet-label2", "kept": "here"}, own()); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	f.settled(f.push(map[string]string{"app/fleet.yaml": "labels: {kept: here}\n"}))
	if diff := cmp.Diff(map[string]string{"kept": "here"}, own()); diff != "" {
		t.Errorf("labels after one left the file (-want +got):\n%s", diff)
	}
}

// No targets at all mean the ClusterGroup default; without such a group nothing
// is deployed, and the GitRepo says what to add.
func TestScenario13WithoutADefaultGroup(t *testing.T) {
	f := follow(t)
	f.create("app")
	f.edit(func(g *v1alpha1.GitRepo) { g.Spec.Targets = nil })
	f.settled(f.push(map[string]string{"app/a.yaml": object("app", "1")}))
	f.saysWhy(v1alpha1.ReasonNoTargets, "targets: [{clusterSelector: {}}]")
	f.wantSays("a", "")

	check(t, f.api.Create(t.Context(), &v1alpha1.ClusterGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.workspace, Name: "default"},
		Spec:       v1alpha1.ClusterGroupSpec{Selector: &metav1.LabelSelector{}},
	}))
	f.settled(f.push(map[string]string{"app/a.yaml": object("app", "2")}))
	f.wantSays("a", "fleet-app@1")
}
