package hub_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

func limitHit() error {
	return &renderer.Problem{Problem: bundle.Problem{Code: manifest.LimitExceeded, Message: "rendering takes longer than 1m"}}
}

// misses makes the next renders fail, that many of them.
func (h *hub) misses(n int64, why func() error) {
	var left atomic.Int64
	left.Store(n)
	h.failing = func(renderer.Inputs) error {
		if left.Add(-1) >= 0 {
			return why()
		}
		return nil
	}
}

func (h *hub) wantAgain(name string, want time.Duration) {
	h.t.Helper()
	if got := h.deployer.Again(h.workspace + "/" + name); got != want {
		h.t.Errorf("%s is tried again in %s, want %s", name, got, want)
	}
}

func (h *hub) pass(d time.Duration) { h.clock.SetTime(h.clock.Now().Add(d)) }

func TestAHitLimitIsTriedAgainAfterTenMinutes(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	h := w.process()
	h.misses(2, limitHit)
	h.deploy(chart(w.fromGit("app", "ConfigMap/one")))
	h.wantRenders(1)
	h.wantAgain("app", 10*time.Minute)
	w.wantProblem("app", v1alpha1.ReasonRenderFailed, "takes longer")
	h.calls.take()

	h.pass(9 * time.Minute)
	h.redeploy("app")
	h.wantRenders(0)
	h.pass(2 * time.Minute)
	h.redeploy("app")
	h.wantRenders(1) // and hits it again
	wantWrites(t, h)
	h.wantAgain("app", 10*time.Minute)

	h.pass(10 * time.Minute)
	h.redeploy("app")
	h.wantRenders(1)
	h.wantAgain("app", 0)
	w.wantSays("a", "app@1")
	w.wantSays("b", "app@1")
}

func TestANewProcessTriesAtOnceWhatHitALimit(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.misses(1, limitHit)
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	h = w.process()
	h.redeploy("app")
	w.wantSays("a", "app@1")
}

// One cluster whose render never ends well must not keep the others of its kind of options waiting.
func TestAClusterThatAlwaysHitsALimitHoldsNoOtherForLong(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		name := fmt.Sprintf("c%d", i)
		w.cluster(name, nil)
		w.facts(name, fmt.Sprintf("v1.%d.0", 31+i/3))
	}
	h := w.process()
	h.failing = func(in renderer.Inputs) error {
		if in.Facts.KubeVersion == "v1.31.0" {
			return limitHit()
		}
		return nil
	}
	h.deploy(chart(w.fromGit("app", askMinor)))
	w.wantSays("c5", "")
	h.pass(10 * time.Minute)
	h.redeploy("app")
	for i, want := range []string{"", "", "", "app@1", "app@1", "app@1"} {
		w.wantSays(fmt.Sprintf("c%d", i), want)
	}
	h.failing = nil
	h.pass(10 * time.Minute)
	h.redeploy("app")
	w.wantSays("c0", "app@2")
	w.wantSays("c5", "app@1")
}

func TestARenderThatCouldNotBeTriedHoldsNoOtherRows(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	h := w.process()
	tries := 0
	h.failing = func(in renderer.Inputs) error {
		if in.Context.ClusterName == "a" {
			tries++
			return fmt.Errorf("start child %d: no memory", tries)
		}
		return nil
	}
	d := templated(chart(w.fromGit("app", "ConfigMap/one")))
	if failed := h.deployer.Deploy(t.Context(), w.workspace, []distribution.Desired{d}); len(failed) != 0 {
		t.Fatal(failed)
	}
	h.wantAgain("app", 2*time.Second)
	check(t, h.compose())
	w.wantSays("a", "")
	w.wantSays("b", "app@1")
	w.wantProblem("app", v1alpha1.ReasonRenderFailed, "start child 1: no memory")
	h.calls.take()
	for _, want := range []time.Duration{4 * time.Second, 8 * time.Second} {
		h.pass(h.deployer.Again(w.workspace + "/app"))
		h.redeploy("app")
		h.wantAgain("app", want)
	}
	wantWrites(t, h)
	h.failing = nil
	h.pass(10 * time.Minute)
	h.redeploy("app")
	w.wantSays("a", "app@2")
	w.wantSays("b", "app@1")
}

// What a row keeps because it has an error was made of other files: it is no
// result of these, for this cluster or another.
func TestWhatRunsSinceARenderFailedIsNotTakenForItsResult(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(chart(w.fromGit("app", "ConfigMap/one")))
	h.deploy(chart(w.fromGit("app", "ConfigMap/one", "Broken/two")))
	w.cluster("b", nil)
	h.redeploy("app")
	w.wantProblem("app", v1alpha1.ReasonRenderFailed, "does not render")
	w.wantSays("a", "app@1")
	w.wantSays("b", "")
	h = w.process()
	h.calls.take()
	h.redeploy("app")
	wantWrites(t, h)

	h.deploy(chart(w.fromGit("app", "ConfigMap/one")))
	w.wantSays("a", "app@1")
	if p := w.rollout("app").Status.Problems; len(p) != 0 {
		t.Errorf("problems stay: %+v", p)
	}
}

// What a commit takes away is judged as that commit's, whenever it could be rendered.
func TestALossThatIsRenderedLaterIsNoPersonsOwnAct(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one", "PersistentVolumeClaim/data"))
	h.misses(1, limitHit)
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	h.pass(11 * time.Minute)
	h.redeploy("app")
	if holds := w.rollout("app").Status.Holds; len(holds) != 1 || !strings.Contains(holds[0].Message, "PersistentVolumeClaim") {
		t.Errorf("holds: %+v, document says %q, problems %+v", holds, w.says("a"), w.rollout("app").Status.Problems)
	}
}

// Nobody touches anything: the bundle controller comes back by itself.
func TestTheBundleControllerComesBackForWhatCouldNotBeTried(t *testing.T) {
	f := follow(t)
	f.create()
	f.misses(1, func() error { return errors.New("no process") })
	b := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: f.workspace, Name: "mine"}}
	b.Spec.Targets = f.fromGit("mine").Bundle.Spec.Targets
	b.Spec.Resources = []v1alpha1.BundleResource{{Name: "a.yaml", Content: object("one", "1")}}
	check(t, f.api.Create(t.Context(), b))
	f.bundles.Mark(f.workspace + "/mine")
	f.until("asked to come back", func() bool { return f.deployer.Again(f.workspace+"/mine") > 0 })
	f.pass(5 * time.Second)
	f.until("deployed", func() bool {
		check(t, f.compose())
		return f.says("a") == "mine@1"
	})
	if got := f.deployer.Again(f.workspace + "/mine"); got != 0 {
		t.Errorf("what is deployed is tried again in %s", got)
	}
}
