package agent_test

import (
	"testing"

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
