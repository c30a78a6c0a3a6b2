package agent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// release is the namespace as createNamespace adds it to a bundle.
func (w *world) release() content.Object {
	o := w.ns()
	o.Role = content.RoleReleaseNamespace
	return o
}

func (w *world) label(patch string) {
	w.Helper()
	_, err := w.resource("", "v1", "namespaces").Patch(context.Background(), w.namespace, types.MergePatchType, []byte(`{"metadata":{"labels":`+patch+`}}`), metav1.PatchOptions{})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) wantMessage(r protocol.BundleReport, parts ...string) {
	w.Helper()
	for _, part := range parts {
		if !strings.Contains(r.Message, part) {
			w.Errorf("got message %q, want it to hold %q", r.Message, part)
		}
	}
}

// TestScenario40APolicySelectsTheNamespace is SCENARIOS 40: labelled, unlabelled, missing.
func TestScenario40APolicySelectsTheNamespace(t *testing.T) {
	for name, c := range map[string]struct {
		labels   map[string]any // nil = the namespace does not exist
		selector string
		denial   []string // nil = deployed
	}{
		"labelled":       {map[string]any{"team": "payments", "tier": "gold"}, "team=payments,tier in (gold,silver)", nil},
		"unlabelled":     {map[string]any{}, "team=payments", []string{"NamespaceNotAllowed", `"team=payments"`, "lacks team=payments"}},
		"partly":         {map[string]any{"team": "payments"}, "team=payments,tier in (gold,silver)", []string{"NamespaceNotAllowed", "lacks tier in (gold,silver)"}},
		"missing":        {nil, "team=payments", []string{"NamespaceNotAllowed", "does not exist", `"team=payments"`}},
		"not a selector": {map[string]any{"team": "payments"}, "team=payments,,", []string{"NamespaceNotAllowed", "cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if c.labels != nil {
				ns := namespace(w.namespace)
				ns["metadata"].(map[string]any)["labels"] = c.labels
				w.create("", "v1", "namespaces", ns)
			}
			w.start()
			options := content.Options{Namespace: w.namespace, NamespaceSelector: c.selector}
			w.entries(w.hub.put(t, bundleA, 1, options, w.release(), w.cm("one", "1")))
			if c.denial == nil {
				w.ready()
				w.configMap("one")
				return
			}
			w.wantMessage(w.reported(bundleA, protocol.StateHeld), append(c.denial, w.namespace)...)
			w.settle()
			if c.labels == nil && !w.gone("", "v1", "namespaces", w.namespace) {
				t.Error("the namespace was created")
			}
			if c.labels != nil && !w.gone(w.namespace, "v1", "configmaps", "one") {
				t.Error("the bundle was applied")
			}
		})
	}
}

func TestALostLabelHoldsAndPrunesNothing(t *testing.T) {
	w := newWorld(t)
	ns := namespace(w.namespace)
	ns["metadata"].(map[string]any)["labels"] = map[string]any{"team": "a"}
	w.create("", "v1", "namespaces", ns)
	w.start()
	options := content.Options{Namespace: w.namespace, NamespaceSelector: "team=a"}
	w.entries(w.hub.put(t, bundleA, 1, options, w.release(), w.cm("one", "1"), w.cm("two", "2")))
	w.ready()
	w.label(`{"team":null}`)
	w.entries(w.hub.put(t, bundleA, 2, options, w.release(), w.cm("one", "changed")))
	w.wantMessage(w.reported(bundleA, protocol.StateHeld), "lacks team=a")
	w.settle()
	if got, _, err := nested(w.configMap("one"), "data", "key"); got != "1" || err != nil {
		t.Errorf("got %q, want nothing applied (%v)", got, err)
	}
	w.configMap("two")
	// A restart asks anew and finds the same.
	w.halt()
	w.start()
	w.wantMessage(w.reported(bundleA, protocol.StateHeld), "lacks team=a")
	w.label(`{"team":"a"}`)
	w.entries(w.hub.put(t, bundleA, 3, options, w.release(), w.cm("one", "changed")))
	w.ready()
	w.eventually("two is pruned", func() bool { return w.gone(w.namespace, "v1", "configmaps", "two") })
	if got, _, err := nested(w.configMap("one"), "data", "key"); got != "changed" || err != nil {
		t.Errorf("got %q, want it applied (%v)", got, err)
	}
}

func TestAWatchedNamespaceIsLookedAtWhenItChanges(t *testing.T) {
	w := newWorld(t)
	w.start()
	labelled := w.release()
	labelled.Manifest = []byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q,"labels":{"made-by":"b"}}}`, w.namespace))
	entryB := w.hub.put(t, bundleB, 1, content.Options{Namespace: w.namespace}, labelled)
	w.entries(entryB)
	w.ready() // it carries our label, so it is watched
	options := content.Options{Namespace: w.namespace, NamespaceSelector: "team=a"}
	w.entries(entryB, w.hub.put(t, bundleA, 1, options, w.cm("one", "1")))
	w.wantMessage(w.reported(bundleA, protocol.StateHeld), "lacks team=a")
	w.label(`{"team":"a"}`)
	w.ready()
	w.configMap("one")
	w.label(`{"team":"b"}`)
	w.wantMessage(w.reported(bundleA, protocol.StateHeld), "lacks team=a")
	w.configMap("one")
}
