package agent_test

import (
	"strings"
	"testing"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// fixed is a ConfigMap whose data may never change.
func (w *world) fixed(name, value string) content.Object {
	return object("v1", "ConfigMap", w.namespace, name, map[string]any{"immutable": true, "data": map[string]any{"key": value}})
}

// TestAnImmutableFieldFailsItsObjectAlone holds with and without helm.force:
// nothing is replaced yet, which a message says rather than a deletion.
func TestAnImmutableFieldFailsItsObjectAlone(t *testing.T) {
	for name, options := range map[string]content.Options{
		"by default": {DriftMode: "correct"},
		"force":      {DriftMode: "correct", Force: true, DriftForce: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			w.entries(w.hub.put(t, bundleA, 1, options, w.ns(), w.fixed("one", "1"), w.cm("two", "2")))
			w.ready()
			uid := w.configMap("one").GetUID()
			w.entries(w.hub.put(t, bundleA, 2, options, w.ns(), w.fixed("one", "changed"), w.cm("two", "changed")))
			report := w.reported(bundleA, protocol.StateFailed)
			if len(report.Objects) != 1 || !strings.Contains(report.Objects[0].Message, "field is immutable") {
				t.Errorf("got %+v, want the API server's refusal of one", report.Objects)
			}
			one := w.configMap("one")
			if got, _, err := nested(one, "data", "key"); got != "1" || err != nil || one.GetUID() != uid {
				t.Errorf("got %q and uid %s, want one untouched (%v)", got, one.GetUID(), err)
			}
			if got, _, err := nested(w.configMap("two"), "data", "key"); got != "changed" || err != nil {
				t.Errorf("got %q, want two applied beside it (%v)", got, err)
			}
			w.settle()
			w.requests.take()
			w.settle()
			if _, writes := w.requests.take(); len(writes) > 0 {
				t.Errorf("got %v, want no hot retry", writes)
			}
			w.entries(w.hub.put(t, bundleA, 3, options, w.ns(), w.fixed("one", "1"), w.cm("two", "changed")))
			w.ready()
		})
	}
}
