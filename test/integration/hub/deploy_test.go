package hub_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/distribution"
)

func wantWrites(t *testing.T, h *hub, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, h.calls.take()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestADeployWritesWhatChangedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", map[string]string{"env": "prod"})
	h := w.process()

	h.deploy(w.fromGit("app", "ConfigMap/one", "ConfigMap/two"))
	w.wantSays("a", "app@1")
	wantWrites(t, h, "POST assignments", "POST bundles", "POST rollouts", "POST secrets", "PUT assignments")

	h.deploy(w.fromGit("app", "ConfigMap/one", "ConfigMap/two"))
	h.redeploy("app")
	wantWrites(t, h)
	if n := h.rendered.Load(); n != 1 {
		t.Errorf("rendered %d times, want once", n)
	}

	h.deploy(w.fromGit("app", "ConfigMap/one=edited", "ConfigMap/two"))
	h.redeploy("app")
	w.wantSays("a", "app@2")
	wantWrites(t, h, "PATCH bundles", "POST secrets", "PUT assignments", "PUT rollouts")
}

func TestARestartedHubWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	w.process().deploy(w.fromGit("app", "ConfigMap/one"), w.fromGit("web", "ConfigMap/web"))
	h := w.process()
	h.all()
	h.deploy(w.fromGit("app", "ConfigMap/one"), w.fromGit("web", "ConfigMap/web"))
	wantWrites(t, h)
	if n := h.rendered.Load(); n != 0 {
		t.Errorf("rendered %d times after a restart", n)
	}
}

func TestALabelMovesABundleFromOneClusterToAnother(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", map[string]string{"env": "prod"})
	w.cluster("b", nil)
	h := w.process()
	h.deploy(only(w.fromGit("app", "ConfigMap/one"), map[string]string{"env": "prod"}))
	w.wantSays("b", "")

	w.label("a", nil)
	w.label("b", map[string]string{"env": "prod"})
	h.calls.take()
	h.redeploy("app")
	w.wantSays("a", "-app")
	w.wantSays("b", "app@2")
	if n := h.rendered.Load(); n != 1 {
		t.Errorf("rendered %d times; the new cluster's options are those of the old", n)
	}
}

func TestARevertGetsANewGeneration(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	for i, value := range []string{"1", "2", "1"} {
		h.deploy(w.fromGit("app", "ConfigMap/one="+value))
		if got := w.rollout("app").Status.Generation; got != int64(i+1) {
			t.Errorf("generation %d after %d changes", got, i+1)
		}
	}
	w.wantSays("a", "app@3")
}

func TestARenamedBundleHandsItsObjectsOver(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("old", "ConfigMap/one", "ConfigMap/two"))

	h.deploy(w.fromGit("new", "ConfigMap/one", "ConfigMap/two"))
	if holds := h.remove("old"); len(holds) > 0 {
		t.Fatalf("a rename loses nothing, and is held: %v", holds)
	}
	w.wantSays("a", "new@1 -old /ConfigMap/x/one:old>new /ConfigMap/x/two:old>new")
	if b := w.storedBundle("old"); b != nil {
		t.Errorf("bundle old was not released: %v", b.Finalizers)
	}
}

func TestALossIsHeldUntilItIsApproved(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", many(10)...))

	h.deploy(w.fromGit("app", many(3)...))
	holds := w.rollout("app").Status.Holds
	if len(holds) != 1 || !strings.Contains(holds[0].Message, "7 of 10 objects") {
		t.Fatalf("holds: %v", holds)
	}
	w.wantSays("a", "app@2 retain:app")

	w.approve("app", "loss-of-another-set")
	h.redeploy("app")
	w.wantSays("a", "app@2 retain:app")

	w.approve("app", holds[0].ID)
	h.redeploy("app")
	w.wantSays("a", "app@2")
	r := w.rollout("app")
	if len(r.Status.Holds) != 0 || len(r.Status.Approved) != 1 || r.Status.Approved[0].By != "jo" || r.Status.Approved[0].Reason != "meant" {
		t.Errorf("after approval: holds %v, approved %+v", r.Status.Holds, r.Status.Approved)
	}
}

func TestWhatWasApprovedIsTheStateThatLaterLossesAreCountedAgainst(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", many(20)...))
	h.deploy(w.fromGit("app", many(10)...))
	w.approve("app", w.rollout("app").Status.Holds[0].ID)
	h.redeploy("app")

	h.deploy(w.fromGit("app", many(9)...))
	if holds := w.rollout("app").Status.Holds; len(holds) > 0 {
		t.Errorf("one more object of ten is held: %v", holds)
	}
}

func TestAdditionsGoOnWhileALossIsHeld(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", many(10)...))
	h.deploy(w.fromGit("app", "ConfigMap/fresh"))
	h.deploy(w.fromGit("app", "ConfigMap/fresh=2"))
	w.wantSays("a", "app@3 retain:app")
}

// many names n ConfigMaps.
func many(n int) []string {
	var out []string
	for i := range n {
		out = append(out, "ConfigMap/cm-"+string(rune('a'+i)))
	}
	return out
}

// A hold is released by an approval or by the loss going away, never by who
// looks again: a label that moves is a person's own act, but not this one.
func TestAHeldProtectedObjectStaysHeldWhenALabelMoves(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one", "PersistentVolumeClaim/data"))
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	if len(w.rollout("app").Status.Holds) != 1 {
		t.Fatal("the deletion of a PersistentVolumeClaim is not held")
	}
	w.cluster("b", nil)
	h.redeploy("app")
	if len(w.rollout("app").Status.Holds) != 1 || !strings.Contains(w.says("a"), "retain:app") {
		t.Errorf("holds %v, document %q", w.rollout("app").Status.Holds, w.says("a"))
	}
}

// The bundle controller may be the one that finishes what a dead GitRepo
// controller began; what came from Git is not a person's own act for that.
func TestAnInterruptedCommitIsStillJudgedAsContent(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.process().deploy(w.fromGit("app", "ConfigMap/one", "PersistentVolumeClaim/data"))
	dying := w.mortal(2) // content and Bundle, no Rollout
	if failed := dying.deployer.Deploy(t.Context(), w.workspace, []distribution.Desired{w.fromGit("app", "ConfigMap/one")}); len(failed) != 1 {
		t.Fatalf("the process did not die in time: %v", failed)
	}
	w.process().redeploy("app")
	if len(w.rollout("app").Status.Holds) != 1 {
		t.Errorf("the deletion of a PersistentVolumeClaim is not held; the document says %q", w.says("a"))
	}
}

// A key may only leave one bundle when the bundle it goes to is stored.
func TestASplitWhoseReceiverIsRefusedChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one", "PersistentVolumeClaim/data"))
	h.calls.refused = "POST bundles"
	split := []distribution.Desired{w.fromGit("app", "ConfigMap/one"), w.fromGit("data", "PersistentVolumeClaim/data")}
	failed := h.deployer.Deploy(t.Context(), w.workspace, split)
	check(t, h.compose())
	if len(failed) != 2 {
		t.Errorf("failed: %v", failed)
	}
	w.wantSays("a", "app@1")

	h.calls.refused = ""
	h.deploy(split...)
	w.wantSays("a", "app@2 data@1 /PersistentVolumeClaim/x/data:app>data")
}

func TestAnErrorOfOneBundleLeavesTheOthersAlone(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	failed := h.deployer.Deploy(t.Context(), w.workspace, []distribution.Desired{w.fromGit("app", "ConfigMap/one"), w.fromGit("bad", "Broken/x")})
	check(t, h.compose())
	if len(failed) != 0 {
		t.Errorf("failed: %v", failed)
	}
	w.wantSays("a", "app@1")
	if p := w.rollout("bad").Status.Problems; len(p) != 1 || !strings.Contains(p[0].Message, "does not render") {
		t.Errorf("problems of the broken bundle: %+v", p)
	}
}

// A bundle that does not render on any cluster keeps what it had, also where
// it does not match any more: only the match says that a cluster leaves.
func TestABundleThatStopsRenderingKeepsItsLastRevision(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", map[string]string{"env": "prod"})
	w.cluster("b", map[string]string{"env": "prod"})
	h := w.process()
	prod := map[string]string{"env": "prod"}
	h.deploy(only(w.fromGit("app", "ConfigMap/one"), prod))
	h.deploy(only(w.fromGit("app", "Broken/x"), prod))
	w.wantSays("a", "app@1")

	w.label("b", nil)
	h.redeploy("app")
	w.wantSays("a", "app@1")
	w.wantSays("b", "-app")
}

// A slow render delays its own bundle and nobody's documents.
func TestClustersDoNotWaitForARender(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	during := []string{"not rendered"}
	h.rendering = func() {
		h.takeDirty()
		h.composer.Mark(w.workspace + "/a")
		during = h.takeDirty()
	}
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	if diff := cmp.Diff([]string{w.workspace + "/a"}, during); diff != "" {
		t.Errorf("clusters composed during a render (-want +got):\n%s", diff)
	}
}

// While a change that belongs together is written, no document is composed of half of it.
func TestADocumentIsNotComposedOfHalfAChange(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	r, b := w.rollout("app"), w.mustBundle("app")
	b.Spec.Paused = true
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	// The composer is on its way and has read nothing of the bundles when the change begins.
	var release func()
	h.calls.before = func(req *http.Request) {
		if release == nil && strings.HasSuffix(req.URL.Path, "/assignments/"+w.workspace+".a") {
			release = h.composer.Hold(w.workspace)
			h.composer.Observe(t.Context(), r, b)
		}
	}
	if _, err := h.composer.Compose(t.Context(), w.workspace, "a"); err != nil {
		t.Fatal(err)
	}
	if d := w.document("a"); len(d.Paused) != 0 {
		t.Error("a document was written while the workspace was held")
	}
	if release == nil {
		t.Fatal("the composer read no Assignment")
	}
	release()
	if got := h.takeDirty(); len(got) != 1 {
		t.Errorf("marked on release: %v", got)
	}
}

func TestASplitConvergesWhereverTheProcessDies(t *testing.T) {
	for writes := range 12 {
		w := newWorld(t)
		w.cluster("a", nil)
		w.process().deploy(w.fromGit("app", "ConfigMap/one", "PersistentVolumeClaim/data"))
		split := []distribution.Desired{w.fromGit("app", "ConfigMap/one"), w.fromGit("data", "PersistentVolumeClaim/data")}
		dying := w.mortal(writes)
		dying.deployer.Deploy(t.Context(), w.workspace, split)
		// Whatever was stored until then is all that the next process knows.
		next := w.process()
		next.all()
		if got := w.says("a"); strings.HasPrefix(got, "app@2") && !strings.Contains(got, "data@1") && !strings.Contains(got, "retain:app") {
			t.Errorf("dead after %d writes: app gave its claim away and nobody has it: %q", writes, got)
		}
		next.deploy(split...)
		next.all()
		if got, want := w.says("a"), "app@2 data@1 /PersistentVolumeClaim/x/data:app>data"; got != want && got != "app@2 data@1" {
			t.Errorf("dead after %d writes: settled at %q, want %q", writes, got, want)
		}
	}
}

// A paused bundle hands out nothing, so it receives nothing.
func TestAPausedBundleIsNoReceiver(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one", "PersistentVolumeClaim/data"))
	receiver := w.fromGit("data", "PersistentVolumeClaim/data")
	receiver.Bundle.Spec.Paused = true
	h.deploy(w.fromGit("app", "ConfigMap/one"), receiver)
	if len(w.rollout("app").Status.Holds) != 1 {
		t.Errorf("the claim went to a paused bundle: %q", w.says("a"))
	}
}

func TestABundleThatComesBackBeforeItsDeletionWasStoredRunsAgain(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.process().deploy(w.fromGit("app", "ConfigMap/one"))
	dying := w.mortal(1) // the Rollout says Removing, the Bundle is not deleted
	if _, err := dying.deployer.Remove(t.Context(), w.workspace, []distribution.Departing{{Bundle: w.mustBundle("app")}}); err == nil {
		t.Fatal("the process did not die in time")
	}
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	h.all()
	if got := w.says("a"); !strings.HasPrefix(got, "app@") {
		t.Errorf("document says %q", got)
	}
}

func TestARecreatedBundleNeverCountsBackwards(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	for _, v := range []string{"1", "2", "3"} {
		h.deploy(w.fromGit("app", "ConfigMap/one="+v))
	}
	// Somebody takes the finalizer off and deletes it, and makes it anew.
	b := w.mustBundle("app")
	b.Finalizers = nil
	check(t, w.api.Update(t.Context(), b))
	check(t, w.api.Delete(t.Context(), b))
	again := w.fromGit("app", "ConfigMap/one=3").Bundle
	again.Spec.Inputs = b.Spec.Inputs
	check(t, w.api.Create(t.Context(), again))
	h = w.process()
	h.redeploy("app")
	h.deploy(w.fromGit("app", "ConfigMap/one=4"))
	if got := w.rollout("app").Status.Generation; got != 4 {
		t.Errorf("generation %d, want 4", got)
	}
	if got := w.says("a"); !strings.HasPrefix(got, "app@4") {
		t.Errorf("document says %q", got)
	}
}
