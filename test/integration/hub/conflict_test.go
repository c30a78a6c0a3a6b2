package hub_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// meanwhile does something between what a deployment read and what it writes.
func (h *hub) meanwhile(do func()) {
	var once sync.Once
	h.rendering = func() { once.Do(do) }
}

func TestAStatusThatIsWrittenMeanwhileIsNoConflict(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	h.calls.take()
	h.meanwhile(func() {
		b := w.mustBundle("app")
		b.Status.Generation = 99
		check(t, w.api.Status().Update(t.Context(), b))
		b.Annotations = map[string]string{v1alpha1.AnnotationApprove: "somebody"}
		check(t, w.api.Update(t.Context(), b))
	})
	h.deploy(labelled(w.fromGit("app", "ConfigMap/one=2"), "team", "web"))
	wantWrites(t, h, "PATCH bundles", "POST secrets", "PUT assignments", "PUT rollouts")
	w.wantSays("a", "app@2")
	b := w.mustBundle("app")
	if b.Status.Generation != 99 || b.Annotations[v1alpha1.AnnotationApprove] != "somebody" {
		t.Errorf("what others wrote is lost: status %+v, annotations %v", b.Status, b.Annotations)
	}
	if diff := cmp.Diff(map[string]string{v1alpha1.LabelGitRepo: "repo", "team": "web"}, b.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	h.deploy(w.fromGit("app", "ConfigMap/one=3"))
	if labels := w.mustBundle("app").Labels; labels["team"] != "" {
		t.Errorf("a label that is gone from Git stays: %v", labels)
	}
	w.wantSays("a", "app@3")
}

func TestTwoManagersDoNotOverwriteEachOther(t *testing.T) {
	cases := map[string]func(w *world, other *hub){
		"another spec": func(w *world, other *hub) { other.deploy(w.fromGit("app", "ConfigMap/one=other")) },
		"another bundle": func(w *world, other *hub) {
			other.remove("app")
			other.deploy(w.fromGit("app", "ConfigMap/one=other"))
		},
		"another ledger": func(w *world, other *hub) { w.cluster("b", nil); other.redeploy("app") },
	}
	for name, act := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cluster("a", nil)
			h := w.process()
			h.deploy(w.fromGit("app", "ConfigMap/one"))
			other := w.process()
			h.meanwhile(func() { act(w, other) })
			failed := h.deployer.Deploy(t.Context(), w.workspace, []distribution.Desired{w.fromGit("app", "ConfigMap/one=mine")})
			if err := failed[w.workspace+"/app"]; !apierrors.IsConflict(err) {
				t.Errorf("got %v, want a conflict", err)
			}
			mine := w.fromGit("app", "ConfigMap/one=mine").Bundle.Spec.Source.Identity
			if name != "another ledger" && w.mustBundle("app").Spec.Source.Identity == mine {
				t.Error("the spec was overwritten")
			}
			h.deploy(w.fromGit("app", "ConfigMap/one=mine")) // tried again
			_, item := h.contentOn("a")
			if got := string(item.Objects[0].Manifest); !strings.Contains(got, "mine") {
				t.Errorf("content: %s", got)
			}
		})
	}
}
