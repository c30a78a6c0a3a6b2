package hub_test

import (
	"testing"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// A Bundle that somebody else made keeps its name and its objects; the others of the commit go on.
func TestScenario16ABundleOfThatNameMadeBySomebodyElse(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	mine := &v1alpha1.Bundle{}
	mine.Namespace, mine.Name = w.workspace, "app"
	mine.Spec.Resources = []v1alpha1.BundleResource{{Name: "a.yaml", Content: string(filesOf([]string{"ConfigMap/mine"})[0].Data)}}
	check(t, w.api.Create(t.Context(), mine))
	h.redeploy("app")
	before := w.mustBundle("app")
	failed := h.deployer.Deploy(t.Context(), w.workspace, []distribution.Desired{w.fromGit("app", "ConfigMap/other"), w.fromGit("web", "ConfigMap/web")})
	if len(failed) != 1 || failed[w.workspace+"/app"] == nil {
		t.Errorf("failed: %v", failed)
	}
	check(t, h.compose())
	w.wantSays("a", "app@1 web@1")
	if after := w.mustBundle("app"); after.ResourceVersion != before.ResourceVersion {
		t.Error("somebody else's Bundle was written")
	}
}

// A bundle that is being deleted goes, whatever the next commit says; what
// comes after it is a new bundle.
func TestScenario17ABundleBeingDeletedIsNotRevived(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	uid := w.mustBundle("app").UID
	check(t, w.api.Delete(t.Context(), w.mustBundle("app"))) // its finalizer keeps it for now
	h.calls.take()

	h.deploy(w.fromGit("app", "ConfigMap/one", "ConfigMap/two"))
	wantWrites(t, h)
	if b := w.mustBundle("app"); b.DeletionTimestamp.IsZero() || b.UID != uid {
		t.Fatalf("bundle after a deploy: %+v", b.ObjectMeta)
	}
	w.wantSays("a", "app@1")

	h.remove("app")
	if b := w.storedBundle("app"); b != nil {
		t.Fatalf("not released: %+v", b.ObjectMeta)
	}
	w.wantSays("a", "-app")
	h.deploy(w.fromGit("app", "ConfigMap/one", "ConfigMap/two"))
	if b := w.mustBundle("app"); b.UID == uid {
		t.Error("the old bundle came back")
	}
}

func TestScenario25TargetsNarrowedFromAllToOne(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"one", "two", "three"} {
		w.cluster(name, map[string]string{"name": name})
	}
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	h.deploy(only(w.fromGit("app", "ConfigMap/one"), map[string]string{"name": "one"}))
	if holds := w.rollout("app").Status.Holds; len(holds) != 0 {
		t.Fatalf("held: %+v", holds)
	}
	w.wantSays("one", "app@1")
	w.wantSays("two", "-app")
	w.wantSays("three", "-app")
	h.wantRenders(2) // the spec changed, so that what was rendered is not taken on trust
}

func TestScenario37ALabelRemovedAndAddedAgain(t *testing.T) {
	w := newWorld(t)
	prod := map[string]string{"env": "prod"}
	w.cluster("a", prod)
	w.cluster("b", prod)
	h := w.process()
	h.deploy(only(w.fromGit("app", "ConfigMap/one"), prod))
	w.label("a", nil)
	h.redeploy("app")
	w.wantSays("a", "-app")
	w.wantSays("b", "app@1")

	w.label("a", prod)
	h.redeploy("app")
	w.wantSays("a", "app@3")
	w.wantSays("b", "app@1")
	h.wantRenders(1)
}
