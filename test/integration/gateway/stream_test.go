package gateway_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// states collects what a client says of its connection.
type states struct {
	mu   sync.Mutex
	list []hubclient.State
}

func (s *states) add(state hubclient.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, state)
}

// has tells whether a state with this code, or a connection for "", was heard.
func (s *states) has(code string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, state := range s.list {
		if code == "" && state.Connected || code != "" && codeOf(state.Err) == code {
			return true
		}
	}
	return false
}

func listening(s *states) func(*hubclient.Options) {
	return func(o *hubclient.Options) { o.OnState = s.add }
}

func TestNewestDocumentWins(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	h.compose(id, 0, 1)
	updates, _ := watching(t, r.client(id), "")
	next(t, "the first document", updates)
	for revision := int64(2); revision <= 30; revision++ {
		h.compose(id, 0, revision)
	}
	last := int64(1)
	for last < 30 {
		u := next(t, "the newest document", updates)
		if u.Document.Revision <= last {
			t.Fatalf("revision %d came after %d", u.Document.Revision, last)
		}
		last = u.Document.Revision
	}
}

func TestDocumentThatIsKnownIsNotSentAgain(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	signature := h.compose(id, 0, 1)
	c := r.client(id)
	var s states
	c2 := r.client(id, listening(&s), func(o *hubclient.Options) { o.Session = c.Session() })
	first, stop := watching(t, c, "")
	u := next(t, "the document", first)
	stop()

	updates, _ := watching(t, c2, signature)
	await(t, "the stream is open", func() bool { return s.has("") })
	h.compose(id, 0, 2)
	if got := next(t, "the next document", updates); got.Document.Revision != 2 {
		t.Errorf("revision %d was sent to an agent that obeys 1", got.Document.Revision)
	}

	raw := newRaw(h, id, "GET", protocol.PathAssignment, nil)
	raw.claims.Session = c.Session()
	mark := protocol.Mark{Assignment: u.Document.Assignment, Revision: 2}
	raw.header.Set("If-None-Match", mark.ETag())
	await(t, "the cache has revision 2", func() bool {
		raw.claims.ID += "x"
		status, _, body := raw.send(t, r.url)
		return status == http.StatusNotModified && len(body) == 0
	})
}

func TestIdleStreamAsksTheHubForNothing(t *testing.T) {
	h := newHub(t)
	r := h.start(func(o *gateway.Options) { o.Timing.KeepAlive = 20 * time.Millisecond })
	id := r.joined("a")
	signature := h.compose(id, 0, 1)
	c := r.client(id, func(o *hubclient.Options) { o.Silence = 500 * time.Millisecond })
	updates, _ := watching(t, c, "")
	next(t, "the document", updates)
	check(t, c.Report(t.Context(), protocol.Report{Version: 1, Session: c.Session(), Sequence: 1, Revision: 1, Signature: signature}))
	await(t, "connected is stored", func() bool { return h.cluster("a").Status.LastSeen != nil })
	r.calls.take()
	time.Sleep(2 * time.Second) // a hundred lines, and four times the silence that would end the stream
	if diff := cmp.Diff(map[string]int{}, r.calls.take()); diff != "" {
		t.Errorf("requests of an idle stream (-want +got):\n%s", diff)
	}
	select {
	case u := <-updates:
		t.Errorf("revision %d was sent again", u.Document.Revision)
	default:
	}
}

func TestSilentStreamIsGivenUp(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	var s states
	watching(t, r.client(id, listening(&s), func(o *hubclient.Options) { o.Silence = 100 * time.Millisecond }), "")
	await(t, "the client notices the silence", func() bool {
		return s.has("listen to the hub: the hub sent nothing for too long")
	})
}

func TestRevokedAgentIsCutOff(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	var s states
	c := r.client(id, listening(&s))
	updates, _ := watching(t, c, "")
	h.compose(id, 0, 1)
	next(t, "the document", updates)
	began := time.Now()
	check(t, h.api.Delete(t.Context(), h.cluster("a")))
	await(t, "the agent hears that it is revoked", func() bool { return s.has(protocol.CodeRevoked) })
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("it took %s, 5 s are allowed", d)
	}
	if err := c.Report(t.Context(), protocol.Report{Version: 1, Session: c.Session(), Sequence: 1}); codeOf(err) != protocol.CodeRevoked {
		t.Errorf("a report of a revoked agent: %v", err)
	}
}

func TestReplicaWithSilentWatchesClosesStreamsOfRevokedAgents(t *testing.T) {
	h := newHub(t)
	var held gate
	r := h.behind("clusters", &held, func(o *gateway.Options) { o.Timing.Audit = 200 * time.Millisecond })
	gone, stays := r.joined("gone"), r.joined("stays")
	var s, other states
	watching(t, r.client(gone, listening(&s)), "")
	watching(t, r.client(stays, listening(&other)), "")
	await(t, "both listen", func() bool { return s.has("") && other.has("") })
	held.set(true)
	check(t, h.api.Delete(t.Context(), h.cluster("gone")))
	await(t, "the stream ends", func() bool { return s.has("listen to the hub: EOF") })
	held.set(false)
	if other.has("listen to the hub: EOF") {
		t.Error("the other stream ended too")
	}
}

func TestClonedClusterIsQuarantined(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	h.compose(id, 0, 1)
	var s, other states
	one, two := r.client(id, listening(&s)), r.client(id, listening(&other))
	watching(t, one, "")
	await(t, "the first listens", func() bool { return s.has("") })
	watching(t, two, "")
	await(t, "both are refused", func() bool { return s.has(protocol.CodeQuarantined) && other.has(protocol.CodeQuarantined) })
	await(t, "the quarantine is stored", func() bool { return h.cluster("a").Status.Identity.Quarantined != "" })
	for name, c := range map[string]*hubclient.Client{"one": one, "two": two} {
		if err := c.Report(t.Context(), protocol.Report{Version: 1, Session: c.Session(), Sequence: 1}); codeOf(err) != protocol.CodeQuarantined {
			t.Errorf("report of %s: %v", name, err)
		}
	}
	reason := ""
	for _, c := range h.cluster("a").Status.Conditions {
		if c.Type == v1alpha1.ConditionJoined {
			reason = c.Reason
		}
	}
	if reason != v1alpha1.ReasonDuplicateIdentity {
		t.Errorf("condition Joined has reason %q", reason)
	}

	c := h.cluster("a")
	c.Annotations = map[string]string{v1alpha1.AnnotationReset: "nonce"}
	check(t, h.api.Update(t.Context(), c))
	again, err := join(t, h.token(r.url, forCluster("a")), newKey(t), "a", hubclient.Options{})
	check(t, err)
	var reset states
	watching(t, r.client(again, listening(&reset)), "")
	await(t, "the agent that was reset listens", func() bool { return reset.has("") })
}

func TestRestartedAgentIsNoClone(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	for range 5 {
		var s states
		_, stop := watching(t, r.client(id, listening(&s)), "")
		await(t, "it listens", func() bool { return s.has("") })
		stop()
		if s.has(protocol.CodeQuarantined) {
			t.Fatal("a restart was taken for a clone")
		}
	}
}

func TestIdentityOnAnotherClusterIsQuarantined(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	c := r.client(id)
	facts := factsOf("a copy of a")
	err := c.Report(t.Context(), protocol.Report{Version: 1, Session: c.Session(), Sequence: 1, Facts: &facts})
	if codeOf(err) != protocol.CodeQuarantined {
		t.Errorf("got %v", err)
	}
	await(t, "the quarantine is stored", func() bool { return h.cluster("a").Status.Identity.Quarantined != "" })
}

func TestReplicaThatIsBehindNeverSaysTheHubWentBack(t *testing.T) {
	h := newHub(t)
	var held gate
	ahead := h.start()
	r := h.behind("assignments", &held, func(o *gateway.Options) { o.Timing.Behind = 200 * time.Millisecond })
	id := ahead.joined("a")
	h.compose(id, 0, 1)
	c := r.client(id)
	_, stop := watching(t, c, "")
	stop()
	held.set(true)
	signature := h.compose(id, 0, 2)
	held2 := newRaw(h, id, "GET", protocol.PathAssignment, nil)
	held2.claims.Session = c.Session()
	held2.header.Set(protocol.HeaderObeyed, signature)
	status, code, _ := held2.send(t, r.url)
	if status != http.StatusOK {
		t.Errorf("got %d %q, want the document by a live read", status, code)
	}
	held.set(false)
	select {
	case header := <-r.wentBack:
		t.Errorf("a replica that was behind said that the hub went back: %+v", header)
	default:
	}
}

func TestHubThatWentBackIsNoticed(t *testing.T) {
	h := newHub(t)
	r := h.start(func(o *gateway.Options) { o.Timing.Behind = 50 * time.Millisecond })
	id := r.joined("a")
	h.compose(id, 1, 4)
	obeyed := h.compose(id, 1, 5)
	h.compose(id, 1, 3) // what a restored backup holds
	var s states
	updates, stop := watching(t, r.client(id, listening(&s)), obeyed)
	await(t, "the agent is told", func() bool { return s.has(protocol.CodeHubWentBack) })
	if header := next(t, "the manager is told", r.wentBack); header.Revision != 5 || header.Epoch != 1 {
		t.Errorf("header %+v", header)
	}
	h.compose(id, 2, 4) // after an operator approved: a new epoch
	if u := next(t, "the first document of the new epoch", updates); u.Document.Epoch != 2 {
		t.Errorf("epoch %d", u.Document.Epoch)
	}
	stop()

	forged, err := protocol.SignHeader(newKey(t), protocol.Header{Hub: h.key.ID(), Cluster: id.ClusterUID, Epoch: 9, Revision: 9})
	check(t, err)
	for len(r.wentBack) > 0 {
		<-r.wentBack
	}
	var other states
	watching(t, r.client(id, listening(&other)), forged)
	await(t, "a forged mark is ignored", func() bool { return other.has("") })
	if len(r.wentBack) > 0 {
		t.Error("a forged mark stopped the hub")
	}
}

func TestDocumentOfAFormerIdentityIsNotServed(t *testing.T) {
	h := newHub(t)
	r := h.start()
	first := r.joined("a")
	item := h.put(`{"v":1,"kind":"manifests","bundle":"first"}`)
	h.compose(first, 0, 1, h.entry("u", item, 1))
	check(t, h.api.Delete(t.Context(), h.cluster("a")))
	second := r.joined("a")
	var s states
	c := r.client(second, listening(&s))
	updates, _ := watching(t, c, "")
	await(t, "it listens", func() bool { return s.has("") })
	if _, err := c.Content(t.Context(), string(item)); codeOf(err) != protocol.CodeNotFound {
		t.Errorf("content of the former identity: %v", err)
	}
	h.compose(second, 0, 2)
	if u := next(t, "its own document", updates); u.Document.Cluster != second.ClusterUID {
		t.Errorf("got the document of %s", u.Document.Cluster)
	}
}

func TestTooManyStreamsWait(t *testing.T) {
	h := newHub(t)
	r := h.start(func(o *gateway.Options) { o.Limits.Streams = 1 })
	a, b := r.joined("a"), r.joined("b")
	var s, other states
	watching(t, r.client(a, listening(&s)), "")
	await(t, "the first listens", func() bool { return s.has("") })
	_, stop := watching(t, r.client(b, listening(&other)), "")
	await(t, "the second is told to wait", func() bool { return other.has(protocol.CodeBusy) })
	stop()
}
