package distribution

import (
	"errors"
	"sync"
	"time"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/schedule"
)

// againMark ends what a rollout says was observed when some row has no content
// for a reason that may pass by itself. It is stored, so that a new process
// tries again, too.
const againMark = ".again"

// limitsAgain is how long a hit limit counts, at least as long as a renderer
// remembers it. What could not be tried at all is tried again sooner.
const (
	limitsAgain  = 10 * time.Minute
	untriedFirst = 2 * time.Second
	untriedMost  = 5 * time.Minute
)

// untried is why rendering could not be tried.
type untried struct{ words string }

func (u *untried) Error() string {
	return "rendering could not be tried and is tried again; what runs stays: " + u.words
}

// retry is when a bundle is to be rendered again although nothing changed.
type retry struct {
	attempts int
	at       time.Time
	// words are those of the first attempt: an error that says something else
	// each time would write a status each time.
	words string
}

// due tells whether it is time; a process that does not remember tries at once.
func (r retry) due(now time.Time) bool { return !now.Before(r.at) }

// next is the retry after one more attempt, and whether any is needed.
func (r retry) next(now time.Time, outcomes []Outcome) (retry, bool) {
	again, wait := false, limitsAgain
	next := retry{attempts: r.attempts + 1}
	for _, o := range outcomes {
		if !passes(o.Err) {
			continue
		}
		again = true
		var u *untried
		if errors.As(o.Err, &u) && next.words == "" {
			next.words, wait = u.words, schedule.Backoff(next.attempts, untriedFirst, untriedMost)
		}
	}
	next.at = now.Add(wait)
	return next, again
}

// passes tells whether a reason for having no content may pass by itself.
func passes(err error) bool {
	var problem *renderer.Problem
	var u *untried
	return errors.As(err, &u) || errors.As(err, &problem) && problem.IsLimit()
}

// retries remembers what is to be tried again, by bundle (workspace/name).
type retries struct {
	mu     sync.Mutex // guards bundle
	bundle map[string]retry
}

func (r *retries) of(bundle string) retry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bundle[bundle]
}

func (r *retries) note(bundle string, now time.Time, outcomes []Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, again := r.bundle[bundle].next(now, outcomes)
	if !again {
		delete(r.bundle, bundle)
		return
	}
	if r.bundle == nil {
		r.bundle = map[string]retry{}
	}
	r.bundle[bundle] = next
}

func (r *retries) forget(bundle string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bundle, bundle)
}

// Again says how long until a bundle (workspace/name) is to be deployed again
// although nothing changed; 0 is never.
func (d *Deployer) Again(bundle string) time.Duration {
	r := d.retries.of(bundle)
	if r.at.IsZero() {
		return 0
	}
	return max(r.at.Sub(d.now()), time.Second)
}

// order is the order in which the rows of a key are rendered: that of their
// clusters. Another attempt begins with another row, and with one of each kind
// of cluster, so that one whose render never ends well holds no other for ever.
func (w *work) order(g *draws) []int {
	var first, rest []int
	seen := map[int]bool{}
	for i, r := range g.rows {
		class := w.classes[r.cluster()]
		if w.retry.attempts == 0 || seen[class] {
			rest = append(rest, i)
			continue
		}
		seen[class] = true
		first = append(first, i)
	}
	all := append(first, rest...)
	turn := w.retry.attempts % max(len(all), 1)
	return append(all[turn:], all[:turn]...)
}
