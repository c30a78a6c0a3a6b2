package agent_test

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// TestScenario72ComparePatches is SCENARIOS 72: a changed value, a removed
// value and a removed object that are covered, and a change that is not.
func TestScenario72ComparePatches(t *testing.T) {
	w := newWorld(t)
	w.start()
	objects := []content.Object{w.ns(), w.cm("changed", "1"), w.cm("removed", "2"), w.cm("gone", "3"), w.cm("other", "4")}
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, objects...))
	w.ready()
	w.patchKey("changed", "by hand")
	w.patchKey("other", "by hand")
	configMaps := w.resource(w.namespace, "v1", "configmaps")
	if _, err := configMaps.Patch(context.Background(), "removed", "application/merge-patch+json", []byte(`{"data":{"key":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := configMaps.Delete(context.Background(), "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.eventually("all four reported", func() bool {
		report, _ := w.hub.last()
		return len(report.Bundles) == 1 && len(report.Bundles[0].Objects) == 4
	})
	// The patches come after the drift: no other event is needed. A new
	// generation brings a missing object back, so it is deleted again.
	covered := content.Options{ComparePatches: []v1alpha1.ComparePatch{
		{APIVersion: "v1", Kind: "ConfigMap", Namespace: w.namespace, Name: "changed", JSONPointers: []string{"/data/key"}},
		{APIVersion: "v1", Kind: "ConfigMap", Name: "rem.*", Operations: []v1alpha1.Operation{{Op: "remove", Path: "/data/key"}}},
		{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", Operations: []v1alpha1.Operation{{Op: "ignore"}}},
	}}
	w.entries(w.hub.put(t, bundleA, 2, covered, objects...))
	w.eventually("gone comes back", func() bool { return !w.gone(w.namespace, "v1", "configmaps", "gone") })
	if err := configMaps.Delete(context.Background(), "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.eventually("only the change that is not covered", func() bool {
		report, _ := w.hub.last()
		return report.Revision == w.hub.revision() && len(report.Bundles) == 1 && len(report.Bundles[0].Objects) == 1 &&
			report.Bundles[0].State == protocol.StateModified && strings.HasSuffix(report.Bundles[0].Objects[0].Key, "/other")
	})
	w.patchKey("other", "4")
	w.ready()
	w.requests.take()
	w.halt()
	w.start()
	w.ready()
	// Correction leaves what is covered alone.
	covered.DriftMode = "correct"
	w.entries(w.hub.put(t, bundleA, 2, covered, objects...))
	w.ready()
	w.patchKey("other", "by hand")
	w.eventually("other is corrected", func() bool {
		got, _, err := nested(w.configMap("other"), "data", "key")
		return got == "4" && err == nil
	})
	w.settle()
	if got, _, err := nested(w.configMap("changed"), "data", "key"); got != "by hand" || err != nil {
		t.Errorf("got %q, want the covered change left alone (%v)", got, err)
	}
	if !w.gone(w.namespace, "v1", "configmaps", "gone") {
		t.Error("gone came back by correction")
	}
}
