package agent_test

import (
	"testing"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// source stores a bundle's content that is rendered on the cluster.
func (w *world) source(uid string, generation int64, reason string) protocol.Entry {
	w.Helper()
	item := content.Item{
		Version: content.Version, Kind: content.KindSource, Bundle: "bundle-" + uid,
		Source: &content.Source{Renderer: "helm", Inputs: "inputs", Options: []byte(`{}`), Reason: reason},
	}
	data, id, err := item.Encode()
	if err != nil {
		w.Fatal(err)
	}
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.hub.contents[string(id)] = data
	return protocol.Entry{Workspace: "default", Bundle: "bundle-" + uid, UID: uid, Generation: generation, Content: string(id), Revision: generation}
}

func TestABundleThatIsRenderedOnTheClusterKeepsEverything(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{DriftMode: "correct"}, w.ns(), w.cm("one", "1"), w.cm("two", "2"), w.cm("three", "3")))
	w.ready()
	one, two := w.configMap("one"), w.configMap("two")
	w.entries(w.source(bundleA, 2, "helm.valuesFrom names objects on the cluster"))
	report := w.reported(bundleA, protocol.StateHeld)
	if want := "rendered on the cluster: helm.valuesFrom names objects on the cluster; not supported yet"; report.Message != want {
		t.Errorf("got message %q, want %q", report.Message, want)
	}
	w.settle()
	w.halt()
	w.start()
	w.reported(bundleA, protocol.StateHeld)
	w.settle()
	for _, name := range []string{"one", "two", "three"} {
		w.configMap(name)
	}
	if last, _ := w.hub.last(); len(last.Heads) != 1 || last.Heads[0].Objects != 4 {
		t.Errorf("got heads %+v, want one with four objects", last.Heads)
	}
	// Manifests again: what is unchanged is not written, what left is pruned.
	w.entries(w.hub.put(t, bundleA, 3, content.Options{DriftMode: "correct"}, w.ns(), w.cm("one", "1"), w.cm("two", "new")))
	w.ready()
	w.eventually("three is pruned", func() bool { return w.gone(w.namespace, "v1", "configmaps", "three") })
	if got := w.configMap("one"); got.GetUID() != one.GetUID() || got.GetResourceVersion() != one.GetResourceVersion() {
		t.Errorf("one was written: version %s, was %s", got.GetResourceVersion(), one.GetResourceVersion())
	}
	if got := w.configMap("two"); got.GetUID() != two.GetUID() || got.GetResourceVersion() == two.GetResourceVersion() {
		t.Errorf("got two %s at %s, want %s changed", got.GetUID(), got.GetResourceVersion(), two.GetUID())
	}
}

func TestABundleThatIsRenderedOnTheClusterIsRemovedWithItsObjects(t *testing.T) {
	w := newWorld(t)
	w.create("", "v1", "namespaces", namespace(w.namespace))
	w.start()
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.cm("one", "1")))
	w.ready()
	w.entries(w.source(bundleA, 2, "a file is encrypted"))
	w.reported(bundleA, protocol.StateHeld)
	w.removal(protocol.Removal{UID: bundleA, Workspace: "default", Bundle: "bundle-" + bundleA})
	w.headGone(bundleA)
	if !w.gone(w.namespace, "v1", "configmaps", "one") {
		t.Error("one is there after its bundle was removed")
	}
}
