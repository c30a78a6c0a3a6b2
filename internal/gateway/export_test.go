package gateway

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// The pure parts, for the tests of this package.
var (
	Record      = record
	ClaimUse    = claimUse
	Reduce      = reduce
	KnownIn     = knownIn
	SafeText    = safeText
	SameMeaning = sameMeaning
	References  = references
	Names       = names
	Gone        = gone
	PromoteKey  = promoteKey
	AnnounceKey = announceKey
	NewReplays  = newReplays
	NewSessions = newSessions
	NewIndex    = newIndex
	NewMember   = newMember
)

type (
	Wish = wish
)

// The verdicts of replays.
const (
	FirstUse   = firstUse
	Replayed   = replayed
	MemoryFull = memoryFull
	OpenClaim  = openClaim
)

// NewWish is for wishes that only connect.
func NewWish(connected *bool) Wish { return Wish{connected: connected, seen: heard} }

// heard is when the agent of every wish was heard.
var heard = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// With changes a wish's other fields.
func (w wish) With(change func(*WishFields)) wish {
	f := WishFields{}
	change(&f)
	if !f.Seen.IsZero() {
		w.seen = f.Seen
	}
	w.facts, w.quarantine, w.promote = f.Facts, f.Quarantine, f.Promote
	return w
}

// WishFields are the fields of a wish.
type WishFields struct {
	Seen       time.Time
	Facts      *v1alpha1.ClusterFacts
	Quarantine string
	Promote    string
}

// Use is replays.use.
func (r *replays) Use(key, id string, now time.Time) verdict { return r.use(key, id, now) }

// Observe is sessions.observe.
func (s *sessions) Observe(name client.ObjectKey, session string, now time.Time) bool {
	return s.observe(name, session, now)
}

// Set and Find are index.set, by names only, and index.find.
func (x *index) Set(name client.ObjectKey, m *member) { x.set(name, m) }

// Find returns the names of the members with a key.
func (x *index) Find(keyID string) []client.ObjectKey {
	var found []client.ObjectKey
	for _, m := range x.find(keyID) {
		found = append(found, m.name)
	}
	return found
}

// Post puts an Assignment on a new board and returns what may be fetched.
func Post(now func() time.Time) *Board { return &Board{newBoard(now)} }

// Board is a board for one cluster, w/c of identity.
type Board struct{ b *board }

// Put replaces the document.
func (b *Board) Put(identity, document string) {
	b.b.put("w.c", posted{envelope: protocol.Envelope{Document: document, Signature: document}, cluster: identity})
}

// Names tells whether identity may fetch id.
func (b *Board) Names(identity string, id content.ID) bool {
	c := &caller{member: &member{name: client.ObjectKey{Namespace: "w", Name: "c"}, identity: identity}}
	return b.b.names(c, id)
}

// Code is the code that the agent reads.
func (r *refusal) Code() string { return r.body.Code }
