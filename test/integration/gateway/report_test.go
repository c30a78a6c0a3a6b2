package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// failed is a report that n bundles failed.
func failed(session string, sequence int64, n int) protocol.Report {
	return protocol.Report{Version: 1, Session: session, Sequence: sequence, NotReady: n, Counts: map[protocol.State]int{protocol.StateFailed: n}}
}

func TestOlderReportsAreDropped(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	c := r.client(id)
	check(t, c.Report(t.Context(), failed(c.Session(), 5, 5)))
	check(t, c.Report(t.Context(), failed(c.Session(), 4, 4)))
	if got := h.report("a").Spec; got.NotReady != 5 || got.Sequence != 5 {
		t.Errorf("stored %+v", got)
	}
	// A replica that knows nothing but what is stored drops it too.
	other := h.start()
	old := other.client(id, func(o *hubclient.Options) { o.Session = c.Session() })
	check(t, old.Report(t.Context(), failed(c.Session(), 3, 3)))
	if got := h.report("a").Spec; got.NotReady != 5 {
		t.Errorf("stored %+v", got)
	}
	// A new process starts to count anew.
	restarted := other.client(id)
	check(t, restarted.Report(t.Context(), failed(restarted.Session(), 1, 1)))
	if got := h.report("a").Spec; got.NotReady != 1 {
		t.Errorf("stored %+v", got)
	}
}

func TestReportsAreCoalesced(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	c := r.client(id)
	check(t, c.Report(t.Context(), failed(c.Session(), 1, 1)))
	r.calls.take()
	began := time.Now()
	var tasks sync.WaitGroup
	for n := range 12 {
		tasks.Go(func() {
			if err := c.Report(t.Context(), failed(c.Session(), int64(n+2), n+2)); err != nil {
				t.Error(err)
			}
		})
	}
	tasks.Wait()
	// The first of a burst waits for the distance to the write before it; all the others are one more write at most.
	if got := r.calls.take(); got["PUT clusterreports"] > 2 || len(got) != 1 {
		t.Errorf("twelve reports in %s cost %v", time.Since(began), got)
	}
	if got := h.report("a").Spec; got.NotReady != 13 {
		t.Errorf("the newest report is not the one that is stored: %+v", got)
	}
}

func TestTwoReplicasStoreOneClustersReports(t *testing.T) {
	h := newHub(t)
	var held gate
	a := h.start(func(o *gateway.Options) { o.Timing.Coalesce = time.Millisecond })
	b := h.behind("clusterreports", &held, func(o *gateway.Options) { o.Timing.Coalesce = time.Millisecond })
	id := a.joined("a")
	ca := a.client(id)
	cb := b.client(id, func(o *hubclient.Options) { o.Session = ca.Session() })
	check(t, cb.Report(t.Context(), failed(ca.Session(), 1, 1)))
	held.set(true)
	defer held.set(false)
	for n := int64(2); n <= 9; n++ {
		check(t, []*hubclient.Client{ca, cb}[n%2].Report(t.Context(), failed(ca.Session(), n, int(n))))
		if got := h.report("a").Spec; got.NotReady != int(n) {
			t.Fatalf("after report %d: %+v", n, got)
		}
	}
}

func TestReportIsReducedToWhatTheHubNeeds(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	item := h.put("{}")
	signature := h.composeDocument(id, protocol.Document{
		Revision: 3, Entries: []protocol.Entry{h.entry("listed", item, 3)},
		Removals: []protocol.Removal{{UID: "leaving", Workspace: h.workspace, Bundle: "old", Revision: 3}},
	})
	c := r.client(id)
	report := failed(c.Session(), 1, 2)
	report.Revision, report.Signature = 3, signature
	report.Bundles = []protocol.BundleReport{
		{UID: "listed", State: protocol.StateFailed, Message: strings.Repeat("x", 5000), Objects: []protocol.ObjectReport{{Key: "a\nb", State: "Failed"}}},
		{UID: "leaving", State: protocol.StateRemoving},
		{UID: "of somebody else", State: protocol.StateFailed},
	}
	report.Heads = []protocol.Head{{UID: "listed"}, {UID: "leaving", Workspace: "w", Bundle: "old", Generation: 4}, {UID: "unknown"}}
	report.Messages = []string{"bell\a"}
	check(t, c.Report(t.Context(), report))
	got := h.report("a").Spec
	var bundles []string
	for _, b := range got.Bundles {
		bundles = append(bundles, b.UID)
	}
	if diff := cmp.Diff([]string{"listed", "leaving"}, bundles); diff != "" {
		t.Errorf("bundles (-want +got):\n%s", diff)
	}
	if n := len([]rune(got.Bundles[0].Message)); n != 1024 || got.Bundles[0].Objects[0].Key != "a b" || got.Messages[0] != "bell\uFFFD" {
		t.Errorf("texts: %d characters, key %q, message %q", n, got.Bundles[0].Objects[0].Key, got.Messages[0])
	}
	if diff := cmp.Diff([]v1alpha1.Head{{UID: "leaving", Bundle: "w/old", Generation: 4}, {UID: "unknown", Bundle: "/"}}, got.Heads); diff != "" {
		t.Errorf("heads (-want +got):\n%s", diff)
	}
}

func TestReportOfADocumentThatTheReplicaHasNotSeenIsNotCutShort(t *testing.T) {
	h := newHub(t)
	var held gate
	r := h.behind("assignments", &held, func(o *gateway.Options) { o.Timing.Behind = 50 * time.Millisecond })
	id := r.joined("a")
	h.compose(id, 0, 1)
	c := r.client(id)
	held.set(true)
	defer held.set(false)
	signature := h.compose(id, 0, 2, h.entry("new", h.put("{}"), 2))
	report := failed(c.Session(), 1, 1)
	report.Revision, report.Signature = 2, signature
	report.Bundles = []protocol.BundleReport{{UID: "new", State: protocol.StateFailed}}
	check(t, c.Report(t.Context(), report))
	if got := h.report("a").Spec.Bundles; len(got) != 1 {
		t.Errorf("stored bundles %+v", got)
	}
}

func TestPresenceIsStoredRarelyAndMerged(t *testing.T) {
	h := newHub(t)
	r := h.start(func(o *gateway.Options) { o.Timing.Settle, o.Timing.Away = 50*time.Millisecond, 300*time.Millisecond })
	id := r.joined("a")
	await(t, "the join is in the cache", func() bool { return h.cluster("a").Status.Identity != nil })
	r.calls.take()
	c := r.client(id)
	var s states
	listener := r.client(id, listening(&s), func(o *hubclient.Options) { o.Session = c.Session() })
	_, stop := watching(t, listener, "")
	await(t, "it listens", func() bool { return s.has("") })
	facts := factsOf("a")
	facts.Nodes = 3
	report := failed(c.Session(), 1, 0)
	report.Facts = &facts
	check(t, c.Report(t.Context(), report))
	connected := func() bool {
		return meta.IsStatusConditionTrue(h.cluster("a").Status.Conditions, v1alpha1.ConditionConnected)
	}
	await(t, "connected is stored", connected)
	await(t, "facts are stored", func() bool { return h.cluster("a").Status.Facts.Nodes == 3 })
	if got := r.calls.take()["PUT clusters/status"]; got != 1 {
		t.Errorf("connecting and its facts cost %d writes of the Cluster, want 1", got)
	}

	// A short break is no news.
	stop()
	_, stop = watching(t, listener, "")
	time.Sleep(500 * time.Millisecond) // longer than Away
	if got := r.calls.take()["PUT clusters/status"]; got != 0 || !connected() {
		t.Errorf("a short break cost %d writes", got)
	}
	stop()
	await(t, "disconnected is stored", func() bool { return !connected() })
	if got := r.calls.take()["PUT clusters/status"]; got != 1 {
		t.Errorf("disconnecting cost %d writes, want 1", got)
	}
}

func TestRestartedGatewayWritesNothing(t *testing.T) {
	h := newHub(t)
	first := h.start()
	id := first.joined("a")
	signature := h.compose(id, 0, 1)
	c := first.client(id)
	report := failed(c.Session(), 1, 2)
	_, stop := watching(t, c, "")
	check(t, c.Report(t.Context(), report))
	await(t, "connected is stored", func() bool { return h.cluster("a").Status.LastSeen != nil })
	first.stop()
	stop()
	before := h.cluster("a").ResourceVersion

	second := h.start(func(o *gateway.Options) { o.Timing.Settle = 10 * time.Millisecond })
	var s states
	again := second.client(id, listening(&s), func(o *hubclient.Options) { o.Session = c.Session() })
	watching(t, again, signature)
	await(t, "it listens again", func() bool { return s.has("") })
	report.Sequence++
	check(t, again.Report(t.Context(), report))
	time.Sleep(300 * time.Millisecond) // far longer than Settle
	for call, n := range second.calls.take() {
		if !strings.HasPrefix(call, "GET ") {
			t.Errorf("%d times %s", n, call)
		}
	}
	if after := h.cluster("a").ResourceVersion; after != before {
		t.Error("the Cluster was written")
	}
}

func TestContentFollowsTheDocument(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	c := r.client(id)
	get := func(id content.ID) string {
		_, err := c.Content(t.Context(), string(id))
		return codeOf(err)
	}
	old, fresh, never := h.put(`{"kind":"manifests","bundle":"old"}`), h.put(`{"kind":"manifests","bundle":"new"}`), h.put(`{"kind":"wants"}`)
	inputs := h.put("the files of a bundle")
	item := content.Item{Version: 1, Kind: content.KindSource, Bundle: "late", Source: &content.Source{Inputs: inputs, Options: json.RawMessage("{}")}}
	data, source, err := item.Encode()
	check(t, err)
	h.put(string(data))

	updates, _ := watching(t, c, "")
	h.compose(id, 0, 1, h.entry("u1", old, 1), h.entry("u2", source, 1))
	next(t, "revision 1", updates)
	for what, want := range map[content.ID]string{old: "", source: "", inputs: "", fresh: protocol.CodeNotFound, never: protocol.CodeNotFound} {
		if got := get(what); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	h.compose(id, 0, 2, h.entry("u1", fresh, 2))
	next(t, "revision 2", updates)
	for what, want := range map[content.ID]string{old: "", source: "", inputs: "", fresh: "", never: protocol.CodeNotFound} {
		if got := get(what); got != want {
			t.Errorf("within the hour, %s: %q, want %q", what, got, want)
		}
	}

	// After a restart only what is assigned counts, inputs of source items included.
	h.compose(id, 0, 3, h.entry("u2", source, 3))
	second := h.start()
	c = second.client(id, func(o *hubclient.Options) { o.Session = c.Session() })
	for what, want := range map[content.ID]string{inputs: "", source: "", old: protocol.CodeNotFound, fresh: protocol.CodeNotFound} {
		if got := get(what); got != want {
			t.Errorf("after a restart, %s: %q, want %q", what, got, want)
		}
	}
}

// A mapping brings bundles of other workspaces; their content stays where they are.
func TestContentOfAnotherWorkspaceIsServedIfTheDocumentNamesIt(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	c := r.client(id)
	inputs := h.putIn("neighbour", "the files of a neighbour's bundle")
	item := content.Item{Version: 1, Kind: content.KindSource, Bundle: "late", Source: &content.Source{Inputs: inputs, Options: json.RawMessage("{}")}}
	data, source, err := item.Encode()
	check(t, err)
	h.putIn("neighbour", string(data))
	secret := h.putIn("neighbour", `{"kind":"manifests","bundle":"of the neighbour alone"}`)

	updates, _ := watching(t, c, "")
	entry := h.entry("u1", source, 1)
	entry.Workspace = "neighbour"
	h.compose(id, 0, 1, entry)
	next(t, "revision 1", updates)
	for what, want := range map[content.ID]string{source: "", inputs: "", secret: protocol.CodeNotFound} {
		if _, err := c.Content(t.Context(), string(what)); codeOf(err) != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
}

func TestContentOfALargeDocument(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	list := protocol.EntryList{Version: 1}
	var items []content.ID
	for i := range 600 {
		item := h.put(fmt.Sprintf(`{"bundle":"b%d"}`, i))
		items = append(items, item)
		list.Entries = append(list.Entries, h.entry(fmt.Sprintf("u%d", i), item, 1))
	}
	text, err := json.Marshal(list)
	check(t, err)
	ref := h.put(string(text))
	signature := h.composeDocument(id, protocol.Document{Revision: 1, EntriesRef: string(ref)})
	c := r.client(id)
	updates, _ := watching(t, c, "")
	next(t, "the document", updates)
	got, err := c.Content(t.Context(), string(ref))
	check(t, err)
	if string(got) != string(text) {
		t.Fatal("the entry list is not what was stored")
	}
	r.calls.take()
	for _, item := range []content.ID{items[0], items[300], items[599]} {
		if _, err := c.Content(t.Context(), string(item)); err != nil {
			t.Error(err)
		}
	}
	if n := r.calls.take()["GET assignments"]; n != 0 {
		t.Errorf("%d live reads for content that is assigned", n)
	}
	if _, err := c.Content(t.Context(), string(h.put("else"))); codeOf(err) != protocol.CodeNotFound {
		t.Errorf("other content: %v", err)
	}
	report := failed(c.Session(), 1, 0)
	report.Revision, report.Signature = 1, signature
	report.Heads = []protocol.Head{{UID: "u1"}, {UID: "u599"}, {UID: "other"}}
	check(t, c.Report(t.Context(), report))
	if heads := h.report("a").Spec.Heads; len(heads) != 1 || heads[0].UID != "other" {
		t.Errorf("heads %+v", heads)
	}
}

func TestDeletedReportIsWrittenAnew(t *testing.T) {
	h := newHub(t)
	r := h.start(func(o *gateway.Options) { o.Timing.Coalesce = time.Millisecond })
	c := r.client(r.joined("a"))
	check(t, c.Report(t.Context(), failed(c.Session(), 1, 1)))
	check(t, h.api.Delete(t.Context(), h.report("a")))
	check(t, c.Report(t.Context(), failed(c.Session(), 2, 2)))
	var got v1alpha1.ClusterReport
	check(t, h.api.Get(t.Context(), client.ObjectKey{Namespace: h.namespace, Name: h.workspace + ".a"}, &got))
	if got.Spec.NotReady != 2 {
		t.Errorf("stored %+v", got.Spec)
	}
}
