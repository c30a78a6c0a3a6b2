package gateway

import (
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sessions notices two live processes with one identity. Each process makes a
// random session at its start; a restart replaces one session by another, and
// the old one never speaks again. A clone makes the two alternate.
type sessions struct {
	mu   sync.Mutex
	last map[client.ObjectKey]*alternation // guarded by mu
}

// alternation counts how often an older session came back after a newer one.
type alternation struct {
	// recent sessions, the current one last.
	recent  []string
	returns int
	since   time.Time
}

const (
	// maxReturns is tolerated: a request of a process that was just replaced may arrive late, once.
	maxReturns = 2
	// returnsWithin is the time in which they count.
	returnsWithin = 10 * time.Minute
	// maxRecentSessions bounds what is remembered of an agent that restarts again and again.
	maxRecentSessions = 8
)

func newSessions() *sessions { return &sessions{last: map[client.ObjectKey]*alternation{}} }

// observe notes that a session spoke and tells whether two of them alternate.
func (s *sessions) observe(name client.ObjectKey, session string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.last[name]
	if a == nil {
		a = &alternation{}
		s.last[name] = a
	}
	return a.next(session, now)
}

func (a *alternation) next(session string, now time.Time) bool {
	i := slices.Index(a.recent, session)
	if i >= 0 && i == len(a.recent)-1 {
		return false
	}
	if i < 0 {
		a.recent = append(a.recent, session)
		a.recent = a.recent[max(0, len(a.recent)-maxRecentSessions):]
		return false
	}
	a.recent = append(slices.Delete(a.recent, i, i+1), session)
	if now.Sub(a.since) > returnsWithin {
		a.returns, a.since = 0, now
	}
	a.returns++
	return a.returns >= maxReturns
}

// forget starts anew, after a reset or a deletion.
func (s *sessions) forget(name client.ObjectKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, name)
}
