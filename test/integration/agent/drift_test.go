package agent_test

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func nested(u *unstructured.Unstructured, path ...string) (string, bool, error) {
	return unstructured.NestedString(u.Object, path...)
}

func nestedMap(u *unstructured.Unstructured, path ...string) (map[string]any, bool, error) {
	return unstructured.NestedMap(u.Object, path...)
}

func TestDriftIsReportedWithPathValuesAndWho(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"), w.cm("two", "2")))
	w.ready()
	w.patchKey("one", "drifted")
	report := w.reported(bundleA, protocol.StateModified)
	want := `data.key: want "1", is "drifted" (kubectl-edit)`
	if len(report.Objects) != 1 || !strings.Contains(report.Objects[0].Message, want) {
		t.Errorf("got %+v, want %q", report.Objects, want)
	}
	if got, _, err := nested(w.configMap("one"), "data", "key"); got != "drifted" || err != nil {
		t.Errorf("got %q, want the drift left alone (%v)", got, err)
	}
	if err := w.resource(w.namespace, "v1", "configmaps").Delete(context.Background(), "two", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("two reported missing", func() bool {
		r, _ := w.hub.last()
		return len(r.Bundles) == 1 && len(r.Bundles[0].Objects) == 2 && r.Bundles[0].Objects[0].State == "Missing"
	})
	// Correction switched on after the drift needs no other event.
	w.entries(w.hub.put(t, bundleA, 2, content.Options{DriftMode: "correct"}, w.ns(), w.cm("one", "1"), w.cm("two", "2")))
	w.ready()
	if got, _, err := nested(w.configMap("one"), "data", "key"); got != "1" || err != nil {
		t.Errorf("got %q, want it corrected (%v)", got, err)
	}
	w.configMap("two")
}

func TestDriftIsCorrectedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{DriftMode: "correct"}, w.ns(), w.cm("one", "1"), w.cm("two", "2")))
	w.ready()
	began := time.Now()
	w.patchKey("one", "drifted")
	if err := w.resource(w.namespace, "v1", "configmaps").Delete(context.Background(), "two", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("both corrected", func() bool {
		if w.gone(w.namespace, "v1", "configmaps", "two") {
			return false
		}
		got, _, err := nested(w.configMap("one"), "data", "key")
		return err == nil && got == "1"
	})
	t.Logf("corrected after %s", time.Since(began).Round(time.Millisecond))
}

func TestForeignFieldsAreNoDrift(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{DriftMode: "correct"}, w.ns(), w.cm("one", "1")))
	w.ready()
	w.settle()
	w.requests.take()
	patch := []byte(`{"metadata":{"labels":{"team":"x"}},"data":{"theirs":"y"}}`)
	if _, err := w.resource(w.namespace, "v1", "configmaps").Patch(context.Background(), "one", types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if all, _ := w.requests.take(); len(all) > 0 {
		t.Errorf("got requests %v, want none", all)
	}
	if report, _ := w.hub.last(); report.NotReady != 0 {
		t.Errorf("got %+v, want Ready", report.Bundles)
	}
}

func TestAStrippedLabelIsNoDeletion(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	uid := w.configMap("one").GetUID()
	patch := []byte(`{"metadata":{"labels":{"muster.dev/bundle":null}}}`)
	if _, err := w.resource(w.namespace, "v1", "configmaps").Patch(context.Background(), "one", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	report := w.reported(bundleA, protocol.StateModified)
	if len(report.Objects) != 1 || !strings.Contains(report.Objects[0].Message, "not owned by us") {
		t.Errorf("got %+v, want it told as not ours", report.Objects)
	}
	w.entries(w.hub.put(t, bundleA, 2, content.Options{DriftMode: "correct"}, w.ns(), w.cm("one", "1")))
	w.ready()
	one := w.configMap("one")
	if one.GetLabels()["muster.dev/bundle"] != bundleA[:13] || one.GetUID() != uid {
		t.Errorf("got labels %v uid %s, want the label back on %s", one.GetLabels(), one.GetUID(), uid)
	}
}

func TestSecretsAreMaskedInReports(t *testing.T) {
	w := newWorld(t)
	w.start()
	secret := object("v1", "Secret", w.namespace, "s", map[string]any{"stringData": map[string]any{"password": "canary-wanted"}})
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), secret))
	w.ready()
	patch := []byte(`{"stringData":{"password":"canary-live"}}`)
	if _, err := w.resource(w.namespace, "v1", "secrets").Patch(context.Background(), "s", types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "thief"}); err != nil {
		t.Fatal(err)
	}
	report := w.reported(bundleA, protocol.StateModified)
	for _, leaked := range []string{"canary", "Y2FuYXJ5"} {
		if strings.Contains(report.Objects[0].Message+report.Message, leaked) {
			t.Errorf("got %q, it tells %s", report.Objects[0].Message, leaked)
		}
	}
}
