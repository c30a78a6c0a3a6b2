package renderer

import (
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// Confine is the filter itself, for a test program that tries to break out of it.
var Confine = confine

// Memo shows the pool's memory to tests.
type Memo struct{ m *memo }

// NewMemo has room for that many bytes.
func NewMemo(room int64) Memo { return Memo{newMemo(room)} }

// Put remembers an empty result, or a hit limit.
func (m Memo) Put(digest string, limit bool, now time.Time) {
	var r result
	if limit {
		r.problem = newProblem(Inputs{Bundle: "b"}, manifest.NewFault("", 0, manifest.LimitExceeded, "too much"), nil)
	}
	m.m.put(digest, r, now)
}

// Get tells whether the digest is remembered.
func (m Memo) Get(digest string, now time.Time) bool {
	_, _, ok := m.m.get(digest, Facts{}, now)
	return ok
}

// PutAnswers remembers an empty result that was given these answers.
func (m Memo) PutAnswers(digest string, answers map[string]string, now time.Time) {
	m.m.put(digest, result{answers: answers}, now)
}

// Sets counts the sets of questions known of a digest.
func (m Memo) Sets(digest string) int { return len(m.m.byDigest[digest]) }

// Results counts what is remembered.
func (m Memo) Results() int { return m.m.order.Len() }

// OfFailure are the answers of a failure that nobody knows the reason of.
func OfFailure(f Facts) map[string]string { return ofFailure(nil, f) }

// Spent tells whether a fault costs the child that told of it.
var Spent = spent

// Differing are pointers to what differs between two decoded objects.
func Differing(a, b any) []string { return slices.Sorted(slices.Values(differing("", a, b, nil))) }

// Keepable tells whether the agent can keep what lives at a pointer.
var Keepable = keepable

// MainFile is blamed for a limit that is hit only once.
var MainFile = mainFile
