package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

const bundleA, bundleB = "aaaaaaaa-1111-4aaa-8aaa-aaaaaaaaaaaa", "bbbbbbbb-2222-4bbb-8bbb-bbbbbbbbbbbb"

func TestADocumentIsAppliedAndReported(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("two", "2")))
	report := w.ready()
	if got := report.Counts[protocol.StateReady]; got != 1 {
		t.Errorf("got %d bundles ready, want 1", got)
	}
	one := w.configMap("one")
	if got := one.GetLabels()["muster.dev/bundle"]; got != bundleA[:13] {
		t.Errorf("got label %q, want the short uid", got)
	}
	if got := one.GetAnnotations()["muster.dev/owner"]; got != bundleA+"/1-1" {
		t.Errorf("got owner %q", got)
	}
}

func TestAnEditIsThreeRequestsAndOneReport(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("two", "2")))
	w.ready()
	uid, unchanged := w.configMap("one").GetUID(), w.configMap("two").GetResourceVersion()
	w.settle()
	_, before := w.hub.last()
	w.requests.take()
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.cm("one", "edited"), w.cm("two", "2")))
	w.ready()
	w.settle()
	all, _ := w.requests.take()
	if len(all) > 3 {
		t.Errorf("got %d requests, want at most 3:\n%s", len(all), strings.Join(all, "\n"))
	}
	if _, after := w.hub.last(); after-before != 1 {
		t.Errorf("got %d reports for one edit, want 1", after-before)
	}
	one := w.configMap("one")
	if got, _, err := nested(one, "data", "key"); got != "edited" || err != nil || one.GetUID() != uid {
		t.Errorf("got value %q and uid %s, want edited and %s (%v)", got, one.GetUID(), uid, err)
	}
	if got := w.configMap("two").GetResourceVersion(); got != unchanged {
		t.Errorf("an unchanged object was written: %s, was %s", got, unchanged)
	}
}

func TestWhatLeavesTheManifestsIsPrunedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("two", "2"), w.cm("three", "3")))
	w.ready()
	// Somebody replaced one of the objects that are about to be pruned: it is not ours.
	if err := w.resource(w.namespace, "v1", "configmaps").Delete(context.Background(), "two", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	foreign := w.create(w.namespace, "v1", "configmaps", map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "two"}})
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	w.eventually("three is gone", func() bool { return w.gone(w.namespace, "v1", "configmaps", "three") })
	if got := w.configMap("two").GetUID(); got != foreign.GetUID() {
		t.Errorf("the foreign object was touched: uid %s, was %s", got, foreign.GetUID())
	}
	w.configMap("one")
}

func TestRetainedKeysStayAndAreReported(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("two", "2")))
	w.ready()
	entry := w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.cm("one", "new"))
	w.hub.assign(t, func(d *protocol.Document) { d.Entries, d.Retain = []protocol.Entry{entry}, []string{bundleA} })
	report := w.reported(bundleA, protocol.StateModified)
	if len(report.Objects) != 1 || report.Objects[0].State != "Extra" {
		t.Errorf("got objects %+v, want one Extra", report.Objects)
	}
	w.configMap("two")
	w.hub.assign(t, func(d *protocol.Document) { d.Retain = nil })
	w.ready()
	if !w.gone(w.namespace, "v1", "configmaps", "two") {
		t.Error("two is there after its loss was released")
	}
}

func TestARemovalDeletesEverythingAndThenTheHeadLeavesTheReport(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.cm("one", "1"), w.cm("two", "2")))
	w.create("", "v1", "namespaces", namespace(w.namespace))
	w.ready()
	w.removal(protocol.Removal{UID: bundleA, Workspace: "default", Bundle: "bundle-" + bundleA})
	w.headGone(bundleA)
	for _, name := range []string{"one", "two"} {
		if !w.gone(w.namespace, "v1", "configmaps", name) {
			t.Errorf("%s is there", name)
		}
	}
}

func TestKeptResourcesStay(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	w.removal(protocol.Removal{UID: bundleA, Keep: true})
	w.headGone(bundleA)
	kept := w.configMap("one")
	// The bundle comes back under another uid and takes them without a rewrite of identity.
	w.entries(w.hub.put(t, bundleB, 1, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	if got := w.configMap("one"); got.GetUID() != kept.GetUID() || got.GetLabels()["muster.dev/bundle"] != bundleB[:13] {
		t.Errorf("got uid %s and label %s, want the kept object with the new owner", got.GetUID(), got.GetLabels())
	}
}

func TestAHandoverKeepsTheObject(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	uid := w.configMap("one").GetUID()
	entry := w.hub.put(t, bundleB, 1, content.Options{}, w.ns(), w.cm("one", "1"))
	ns, one := string(w.ns().Key), string(w.cm("one", "").Key)
	w.hub.assign(t, func(d *protocol.Document) {
		d.Entries = []protocol.Entry{entry}
		d.Removals = []protocol.Removal{{UID: bundleA, Workspace: "default", Bundle: "bundle-" + bundleA}}
		d.Handovers = []protocol.Handover{{Key: ns, From: bundleA, To: bundleB}, {Key: one, From: bundleA, To: bundleB}}
	})
	w.headGone(bundleA)
	got := w.configMap("one")
	if got.GetUID() != uid {
		t.Errorf("got uid %s, want %s: the object was made anew", got.GetUID(), uid)
	}
	if got.GetLabels()["muster.dev/bundle"] != bundleB[:13] || !strings.HasPrefix(got.GetAnnotations()["muster.dev/owner"], bundleB) {
		t.Errorf("got %v %v, want the new owner", got.GetLabels(), got.GetAnnotations())
	}
}

func TestAnAgentThatDiesBetweenWriteAheadAndApplyLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	died := make(chan struct{}, 100)
	w.requests.refusing(func(r *http.Request) error {
		if strings.Contains(r.URL.Path, "/secrets/muster-bundle") {
			return errors.New("the agent is dead") // applied, never recorded
		}
		if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/configmaps/three") {
			died <- struct{}{}
			return errors.New("the agent is dead")
		}
		return nil
	})
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("two", "2"), w.cm("three", "3")))
	<-died
	w.eventually("two was applied", func() bool { return !w.gone(w.namespace, "v1", "configmaps", "two") })
	w.halt()
	// While it is dead the bundle changes its mind: two must not be leaked.
	w.entries(w.hub.put(t, bundleA, 3, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("four", "4")))
	w.start()
	w.ready()
	w.configMap("four")
	for _, name := range []string{"two", "three"} {
		w.eventually(name+" is gone", func() bool { return w.gone(w.namespace, "v1", "configmaps", name) })
	}
}

func TestARestartWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.start()
	var entries []protocol.Entry
	for i := range 51 {
		objects := []content.Object{w.ns()}
		if i > 0 {
			objects = nil
		}
		for n := range 10 {
			objects = append(objects, w.cm(fmt.Sprintf("c%d-%d", i, n), "x"))
		}
		uid := fmt.Sprintf("%08d-1111-4aaa-8aaa-aaaaaaaaaaaa", i)
		entries = append(entries, w.hub.put(t, uid, 1, content.Options{}, objects...))
	}
	w.settle()
	w.requests.take()
	w.entries(entries...)
	w.ready()
	w.settle()
	all, _ := w.requests.take()
	t.Logf("51 new bundles with 510 objects: %d requests", len(all))
	if len(all) > 600 {
		t.Errorf("got %d requests for 51 new bundles of 10 objects", len(all))
	}
	w.halt()
	w.start()
	w.eventually("a report after the restart", func() bool {
		report, _ := w.hub.last()
		return report.Sequence == 1 && report.Counts[protocol.StateReady] == 51
	})
	w.settle()
	all, writes := w.requests.take()
	t.Logf("restart with 51 bundles: %d requests", len(all))
	if len(writes) > 0 || len(all) > 60 {
		t.Errorf("got %d requests, %d writes after a restart, want at most 60 and 0:\n%s", len(all), len(writes), strings.Join(all, "\n"))
	}
}

func TestALostStateIsRebuiltFromTheCluster(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("two", "2")))
	w.ready()
	w.settle()
	w.halt()
	if err := w.resource(w.state, "v1", "secrets").DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "muster.dev/state"}); err != nil {
		t.Fatal(err)
	}
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.cm("one", "1")))
	w.start()
	w.ready()
	w.eventually("two is pruned although its inventory was lost", func() bool { return w.gone(w.namespace, "v1", "configmaps", "two") })
}

func TestAnotherBundlesObjectIsAConflictAndLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.start()
	a := w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"))
	w.entries(a)
	w.ready()
	before := w.configMap("one").GetResourceVersion()
	w.entries(a, w.hub.put(t, bundleB, 1, content.Options{}, w.cm("one", "theirs"), w.cm("other", "2")))
	report := w.reported(bundleB, protocol.StateFailed)
	if len(report.Objects) != 1 || report.Objects[0].State != "Conflict" {
		t.Errorf("got %+v, want one Conflict", report.Objects)
	}
	if got := w.configMap("one").GetResourceVersion(); got != before {
		t.Error("the object of the other bundle was written")
	}
	w.configMap("other") // one bad object parks alone
}

func TestAHelmReleasesObjectIsAConflictUnlessItMayBeTaken(t *testing.T) {
	w := newWorld(t)
	w.create("", "v1", "namespaces", namespace(w.namespace))
	w.create(w.namespace, "v1", "configmaps", map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"foo": "bar"},
		"metadata": map[string]any{
			"name": "one", "labels": map[string]any{"app.kubernetes.io/managed-by": "Helm"},
			"annotations": map[string]any{"meta.helm.sh/release-name": "theirs", "meta.helm.sh/release-namespace": "elsewhere"},
		},
	})
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.cm("one", "value")))
	w.reported(bundleA, protocol.StateFailed)
	w.entries(w.hub.put(t, bundleA, 2, content.Options{TakeOwnership: true}, w.cm("one", "value")))
	w.ready()
	data, _, err := nestedMap(w.configMap("one"), "data")
	if err != nil || data["foo"] != "bar" || data["key"] != "value" {
		t.Errorf("got data %v, want both keys (%v)", data, err)
	}
}

func TestNothingIsEverRolledBackOrTakenFromAStranger(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	old := w.hub.envelope
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.cm("one", "2")))
	w.ready()
	revision := w.configMap("one").GetResourceVersion()
	w.hub.push(old)
	w.message("went back")
	stranger := newHub(t)
	stranger.document.Revision = 10
	stranger.assign(t, func(*protocol.Document) {})
	w.hub.push(stranger.envelope)
	w.message("refused")
	if got := w.configMap("one").GetResourceVersion(); got != revision {
		t.Error("the object was written")
	}
}

func TestARevokedAgentKeepsWhatRunsAndSaysSo(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{DriftMode: "correct"}, w.ns(), w.cm("one", "1")))
	w.ready()
	w.hub.refuse(&protocol.Error{Code: protocol.CodeRevoked, Message: "the cluster was removed"})
	w.eventually("an Event says so", func() bool {
		events, err := w.resource(w.state, "v1", "events").List(context.Background(), metav1.ListOptions{})
		return err == nil && len(events.Items) > 0
	})
	w.patchKey("one", "drifted")
	w.settle()
	if got, _, err := nested(w.configMap("one"), "data", "key"); got != "drifted" || err != nil {
		t.Errorf("got %q, want the drift left alone (%v)", got, err)
	}
}

func (w *world) patchKey(name, value string) {
	w.Helper()
	patch := []byte(`{"data":{"key":"` + value + `"}}`)
	if _, err := w.resource(w.namespace, "v1", "configmaps").Patch(context.Background(), name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		w.Fatal(err)
	}
}
