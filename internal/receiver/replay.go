package receiver

import (
	"sync"
	"time"
)

// replays remembers the deliveries of the last minutes, at most so many; the oldest are forgotten first.
type replays struct {
	keep time.Duration
	most int

	mu    sync.Mutex // guards the fields below
	seen  map[string]time.Time
	order []string
}

// repeat tells whether a delivery was accepted before.
func (r *replays) repeat(id string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.seen[id]
	return ok && now.Sub(at) < r.keep
}

// accept remembers a delivery.
func (r *replays) accept(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && (len(r.order) >= r.most || now.Sub(r.seen[r.order[0]]) >= r.keep) {
		delete(r.seen, r.order[0])
		r.order = r.order[1:]
	}
	if _, ok := r.seen[id]; !ok {
		r.order = append(r.order, id)
	}
	r.seen[id] = now
}
