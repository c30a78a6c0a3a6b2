package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// attempt does something that may be cut off at any write; only the API server
// remembers how far it came.
type attempt func(h *hub)

func tryDeploy(desired func(w *world) []distribution.Desired) attempt {
	return func(h *hub) {
		h.deployer.Deploy(h.t.Context(), h.workspace, desired(h.world))
		// Composing fails too when the process is dead.
		_ = h.compose()
	}
}

func tryRemove(name string) attempt {
	return func(h *hub) {
		b := h.storedBundle(name)
		if b == nil {
			return
		}
		if _, err := h.deployer.Remove(h.t.Context(), h.workspace, []distribution.Departing{{Bundle: b}}); err != nil {
			return
		}
		_ = h.compose()
		if b = h.storedBundle(name); b != nil && !b.DeletionTimestamp.IsZero() {
			// Dead or not: another process finishes it.
			_, _ = h.deployer.Finish(h.t.Context(), b)
		}
	}
}

func TestEveryChangeSurvivesADeathBetweenAnyTwoWrites(t *testing.T) {
	one := func(objects ...string) func(*world) []distribution.Desired {
		return func(w *world) []distribution.Desired { return []distribution.Desired{w.fromGit("app", objects...)} }
	}
	cases := map[string]struct {
		before []string
		do     []attempt
		want   string // what the document says in the end
	}{
		"a first deploy": {nil, []attempt{tryDeploy(one("ConfigMap/one"))}, "app@1"},
		"an edit":        {[]string{"ConfigMap/one"}, []attempt{tryDeploy(one("ConfigMap/one=2"))}, "app@2"},
		"a held loss":    {many(10), []attempt{tryDeploy(one(many(2)...))}, "app@2 retain:app"},
		"a removal":      {[]string{"ConfigMap/one"}, []attempt{tryRemove("app")}, "-app"},
		"a rename": {[]string{"ConfigMap/one", "ConfigMap/two"}, []attempt{
			tryDeploy(func(w *world) []distribution.Desired {
				return []distribution.Desired{w.fromGit("new", "ConfigMap/one", "ConfigMap/two")}
			}),
			tryRemove("app"),
		}, "new@1 -app /ConfigMap/x/one:app>new /ConfigMap/x/two:app>new"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for writes := 0; ; writes++ {
				if survive(t, writes, c.before, c.do, c.want) {
					return
				}
			}
		})
	}
}

// survive lets a process die after some writes and another take over; it tells
// whether the first got through.
func survive(t *testing.T, writes int, before []string, do []attempt, want string) (through bool) {
	t.Helper()
	w := newWorld(t)
	w.cluster("a", nil)
	if before != nil {
		w.process().deploy(w.fromGit("app", before...))
	}
	dying := w.mortal(writes)
	for _, one := range do {
		one(dying)
	}
	dying.calls.mu.Lock()
	through = dying.calls.left > 0
	dying.calls.mu.Unlock()
	next := w.process()
	for _, one := range do {
		one(next)
	}
	next.all()
	if got := w.says("a"); got != want {
		t.Errorf("dead after %d writes: settled at %q, want %q", writes, got, want)
	}
	again := w.process()
	again.all()
	if wrote := again.calls.take(); len(wrote) > 0 {
		t.Errorf("dead after %d writes: not at rest, wrote %v", writes, wrote)
	}
	return through
}

// Two managers that both believe to lead never lose or reuse a generation:
// every write is a compare-and-swap.
func TestTwoManagersAtOnceReuseNoGeneration(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	managers := []*hub{w.process(), w.process()}
	managers[0].deploy(w.fromGit("app", "ConfigMap/one=start"))
	contentOf := map[int64]string{}
	for round := range 8 {
		done := make(chan map[string]error)
		for i, h := range managers {
			go func() {
				done <- h.deployer.Deploy(t.Context(), w.workspace, []distribution.Desired{w.fromGit("app", fmt.Sprintf("ConfigMap/one=%d-%d", round, i))})
			}()
		}
		for range managers {
			<-done
		}
		for _, h := range managers {
			// One of two who write at once is refused; it tries again when marked.
			_ = h.compose()
			d := w.document("a")
			for _, e := range d.Entries {
				if was, ok := contentOf[e.Generation]; ok && was != e.Content {
					t.Fatalf("generation %d was %s and is %s", e.Generation, was, e.Content)
				}
				contentOf[e.Generation] = e.Content
			}
		}
	}
	last := managers[1]
	for range 3 { // What was remembered is dropped by the first refusal.
		last.deployer.Deploy(t.Context(), w.workspace, []distribution.Desired{w.fromGit("app", "ConfigMap/one=last")})
		last.mark(w.workspace + "/a")
		_ = last.compose()
	}
	r := w.rollout("app")
	w.wantSays("a", fmt.Sprintf("app@%d", r.Status.Generation))
	if r.Status.Generation < int64(len(contentOf)) {
		t.Errorf("generation %d after %d different ones", r.Status.Generation, len(contentOf))
	}
}

func TestAHubThatWentBackAssignsNothingUntilAnEpochIsApproved(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	seen := protocol.Header{Hub: "hub", Cluster: "uid-of-a", Epoch: 7, Revision: 99}
	check(t, h.state.WentBack(t.Context(), seen))
	h.deploy(w.fromGit("app", "ConfigMap/one=2"))
	w.wantSays("a", "app@1")

	// A restart changes nothing about it.
	h = w.process()
	h.all()
	w.wantSays("a", "app@1")

	var cm corev1.ConfigMap
	check(t, w.api.Get(t.Context(), client.ObjectKey{Namespace: w.machine, Name: distribution.HubConfigMap}, &cm))
	if !strings.Contains(cm.Data["wentBack"], "epoch 7 revision 99 of cluster uid-of-a") {
		t.Errorf("the hub says %q", cm.Data["wentBack"])
	}
	cm.Annotations = map[string]string{v1alpha1.AnnotationApprove: "something-else"}
	check(t, w.api.Update(t.Context(), &cm))
	check(t, h.state.Observe(t.Context(), start, &cm))
	h.all()
	w.wantSays("a", "app@1")

	cm.Annotations[v1alpha1.AnnotationApprove] = distribution.HoldHubRestore
	check(t, w.api.Update(t.Context(), &cm))
	check(t, h.state.Observe(t.Context(), start, &cm))
	h.all()
	d := w.document("a")
	if d.Epoch != start.Unix() || len(d.Entries) != 1 || d.Entries[0].Generation != 2 {
		t.Errorf("after approval: epoch %d, entries %+v", d.Epoch, d.Entries)
	}
	if epoch, why := w.process().state.Epoch(); epoch != d.Epoch || why != "" {
		t.Errorf("stored epoch %d, %q", epoch, why)
	}
}

// A hub that could not store that it went back stores it at the next chance.
func TestGoingBackIsRecordedEvenIfTheFirstWriteFails(t *testing.T) {
	w := newWorld(t)
	h := w.process()
	seen := protocol.Header{Hub: "hub", Cluster: "c", Epoch: 2, Revision: 3}
	h.calls.refused = "PUT configmaps"
	if err := h.state.WentBack(t.Context(), seen); err == nil {
		t.Fatal("the write was not refused")
	}
	if _, why := h.state.Epoch(); why == "" {
		t.Error("assigns on although it knows")
	}
	h.calls.refused = ""
	check(t, h.state.WentBack(t.Context(), seen))
	if _, why := w.process().state.Epoch(); why == "" {
		t.Error("it was never stored")
	}
}

// A deleted bundle whose removal waits takes the clusters along that a hold kept.
func TestDeletingABundleWithAHeldClusterRemovesItThere(t *testing.T) {
	w := newWorld(t)
	prod := map[string]string{"env": "prod"}
	for _, name := range []string{"a", "b", "c"} {
		w.cluster(name, prod)
	}
	h := w.process()
	h.deploy(only(w.fromGit("app", "ConfigMap/one"), prod))
	for _, name := range []string{"a", "b", "c"} {
		w.label(name, nil)
	}
	h.redeploy("app")
	if len(w.rollout("app").Status.Holds) != 1 {
		t.Fatal("losing every cluster is not held")
	}
	w.report("a", w.document("a"), v1alpha1.Head{UID: string(w.mustBundle("app").UID), Bundle: w.workspace + "/app", Generation: 1})
	check(t, w.api.Delete(t.Context(), w.mustBundle("app")))
	holds := h.remove("app")
	if len(holds) != 1 {
		t.Fatalf("deleting it loses three clusters and is not held; document %q", w.says("a"))
	}
	w.approve("app", holds[w.workspace+"/app"].ID)
	h.remove("app")
	w.wantSays("a", "-app")
}

// report stores what an agent would say after obeying a document.
func (w *world) report(cluster string, d protocol.Document, heads ...v1alpha1.Head) {
	w.t.Helper()
	r := &v1alpha1.ClusterReport{ObjectMeta: metav1.ObjectMeta{Namespace: w.machine, Name: w.workspace + "." + cluster}}
	r.Spec = v1alpha1.ClusterReportSpec{Assignment: d.Assignment, Epoch: d.Epoch, Revision: d.Revision, Heads: heads}
	check(w.t, w.api.Create(w.t.Context(), r))
}

// A paused cluster gets no document, so a bundle that leaves it waits, and
// goes as soon as the cluster may be written again.
func TestARemovalWaitsForAPausedCluster(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	w.editCluster("a", func(c *v1alpha1.Cluster) { c.Spec.Paused = true })
	h.remove("app")
	w.wantSays("a", "app@1")
	if b := w.storedBundle("app"); b == nil {
		t.Fatal("released although its removal is not stored")
	}
	w.editCluster("a", func(c *v1alpha1.Cluster) { c.Spec.Paused = false })
	h.clock.SetTime(h.clock.Now().Add(time.Minute))
	h.mark(w.workspace + "/a")
	h.remove("app")
	w.wantSays("a", "-app")
	if b := w.storedBundle("app"); b != nil {
		t.Error("not released")
	}
}

// Somebody deletes what the machine wrote: it is written anew, not remembered.
func TestARolloutOrAssignmentThatSomebodyDeletedComesBack(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	for _, v := range []string{"1", "2"} {
		h.deploy(w.fromGit("app", "ConfigMap/one="+v))
	}
	check(t, w.api.Delete(t.Context(), w.rollout("app")))
	h.deployer.RolloutGone(w.workspace, "app")
	h.redeploy("app")
	if got := w.rollout("app").Status.Generation; got < 2 {
		t.Errorf("the new ledger counts from %d", got)
	}
	h.deploy(w.fromGit("app", "ConfigMap/one=3"))
	var generation int64
	for _, e := range w.document("a").Entries {
		generation = e.Generation
	}
	if generation < 3 {
		t.Errorf("generation %d was used before", generation)
	}
	a := &v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Namespace: w.machine, Name: w.workspace + ".a"}}
	check(t, w.api.Delete(t.Context(), a))
	h.composer.AssignmentGone(w.workspace, "a")
	h.mark(w.workspace + "/a")
	check(t, h.compose())
	w.wantSays("a", fmt.Sprintf("app@%d", generation))
}
