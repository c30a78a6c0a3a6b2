package gateway

import (
	"crypto/sha256"
	"sync"
	"time"
)

// replays remembers the ids of request tokens until they expire, in two
// halves: the older one is dropped when all of it has expired.
type replays struct {
	mu         sync.Mutex
	young, old map[[16]byte]struct{} // guarded by mu
	turn       time.Time             // guarded by mu: when old is forgotten and young becomes old
	life       time.Duration
	limit      int // of one half
}

func newReplays(life time.Duration, limit int) *replays {
	return &replays{young: map[[16]byte]struct{}{}, old: map[[16]byte]struct{}{}, life: life, limit: limit / 2}
}

// verdict on a request token's id.
type verdict int

const (
	firstUse verdict = iota
	replayed
	memoryFull
)

// use records that a key used an id. When the memory is full it refuses
// rather than forgets: a replay must never pass.
func (r *replays) use(keyID, id string, now time.Time) verdict {
	sum := sha256.Sum256([]byte(keyID + "/" + id))
	key := [16]byte(sum[:16])
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(r.turn) {
		r.old, r.young = r.young, map[[16]byte]struct{}{}
		r.turn = now.Add(r.life)
	}
	_, inYoung := r.young[key]
	_, inOld := r.old[key]
	switch {
	case inYoung || inOld:
		return replayed
	case len(r.young) >= r.limit:
		return memoryFull
	}
	r.young[key] = struct{}{}
	return firstUse
}
