package agent_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// list stores entries apart from the document, as the hub does for more than
// protocol.MaxEntries; withheld keeps them from being served.
func (h *hub) list(tb testing.TB, withheld bool, entries ...protocol.Entry) (ref string, serve func()) {
	tb.Helper()
	data, err := json.Marshal(protocol.EntryList{Version: protocol.Version, Entries: entries})
	if err != nil {
		tb.Fatal(err)
	}
	ref = string(content.IDOf(data))
	serve = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.contents[ref] = data
	}
	if !withheld {
		serve()
	}
	return ref, serve
}

func (w *world) referred(ref string) {
	w.Helper()
	w.hub.assign(w.T, func(d *protocol.Document) { d.Entries, d.EntriesRef = nil, ref })
}

func TestADocumentTooLongForItsEntriesIsObeyedWhole(t *testing.T) {
	w := newWorld(t)
	w.create("", "v1", "namespaces", namespace(w.namespace))
	w.start()
	var entries []protocol.Entry
	for i := range protocol.MaxEntries + 1 {
		uid := fmt.Sprintf("%08d-1111-4aaa-8aaa-aaaaaaaaaaaa", i)
		entries = append(entries, w.hub.put(t, uid, 1, content.Options{}, w.cm(fmt.Sprintf("c%d", i), "x")))
	}
	ref, _ := w.hub.list(t, false, entries...)
	w.referred(ref)
	if got := w.ready().Counts[protocol.StateReady]; got != len(entries) {
		t.Errorf("got %d bundles ready, want %d", got, len(entries))
	}
	w.configMap(fmt.Sprintf("c%d", protocol.MaxEntries))
	w.settle()
	w.halt()
	w.start() // the document it obeys is whole without the hub
	w.eventually("a report after the restart", func() bool {
		report, _ := w.hub.last()
		return report.Sequence == 1 && report.Counts[protocol.StateReady] == len(entries)
	})
}

func TestEntriesThatCannotBeFetchedTakeNothingAway(t *testing.T) {
	w := newWorld(t)
	w.start()
	a := w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1"))
	w.entries(a)
	w.ready()
	one := w.configMap("one").GetResourceVersion()
	for i := range 10 { // more than there are fetchers: none may wait for ever
		ref, _ := w.hub.list(t, true, w.hub.put(t, bundleB, int64(i+1), content.Options{}, w.cm("other", "1")))
		w.referred(ref)
		w.eventually("the entries are asked for", func() bool {
			w.hub.mu.Lock()
			defer w.hub.mu.Unlock()
			return w.hub.asked[ref]
		})
	}
	w.settle()
	if got := w.configMap("one").GetResourceVersion(); got != one {
		t.Error("the object was written although the new entries are not known")
	}
	ref, serve := w.hub.list(t, true, a, w.hub.put(t, bundleB, 99, content.Options{}, w.cm("other", "99")))
	w.referred(ref)
	w.settle()
	serve()
	w.ready()
	w.configMap("one")
	w.configMap("other")
}

// incompressible returns about n bytes of text.
func incompressible(n int) string {
	data := make([]byte, n*3/4)
	rand.Read(data) // never fails, as crypto/rand promises
	return base64.StdEncoding.EncodeToString(data)
}

func (w *world) chunks() []string {
	w.Helper()
	list, err := w.resource(w.state, "v1", "secrets").List(context.Background(), metav1.ListOptions{LabelSelector: "muster.dev/state=chunk"})
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names
}

func TestAStateLargerThanASecretIsKeptInChunks(t *testing.T) {
	w := newWorld(t)
	w.start()
	large := []content.Object{w.ns()}
	for i := range 4 {
		large = append(large, w.cm(fmt.Sprintf("large%d", i), incompressible(400<<10)))
	}
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, large...))
	w.ready()
	w.eventually("state in chunks", func() bool { return len(w.chunks()) > 1 })
	w.settle()
	w.halt()
	w.hub.mu.Lock()
	clear(w.hub.contents) // all it needs is in its own cluster
	w.hub.mu.Unlock()
	w.start()
	w.eventually("a report after the restart", func() bool {
		report, _ := w.hub.last()
		return report.Sequence == 1 && report.Counts[protocol.StateReady] == 1
	})
	w.settle()
	if _, writes := w.requests.take(); len(writes) > 0 {
		t.Errorf("got writes after a restart: %v", writes)
	}
	w.halt()
	// A chunk is lost: the inventory is rebuilt and nothing is pruned by mistake or leaked.
	if err := w.resource(w.state, "v1", "secrets").Delete(context.Background(), w.chunks()[0], metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.entries(w.hub.put(t, bundleA, 2, content.Options{}, w.ns(), w.cm("small", "1"), large[1]))
	w.start()
	w.ready()
	w.configMap("large0")
	w.eventually("what left the manifests is gone", func() bool { return w.gone(w.namespace, "v1", "configmaps", "large3") })
	w.entries(w.hub.put(t, bundleA, 3, content.Options{}, w.ns(), w.cm("small", "1")))
	w.ready()
	w.eventually("no chunks of a state that is small again", func() bool { return len(w.chunks()) == 0 })
}
