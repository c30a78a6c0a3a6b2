package receiver

import (
	"sync"
	"time"

	"k8s.io/utils/clock"

	"golang.org/x/time/rate"
)

// throttle lets a repository be polled at once while its bucket has tokens, and afterwards once per refill: what
// arrives in between is one pending poll, which is late but never lost.
type throttle struct {
	clock   clock.WithDelayedExecution
	trigger Trigger
	refill  time.Duration
	burst   int

	mu      sync.Mutex // guards buckets
	buckets map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	pending bool
	used    time.Time
}

// maxBuckets bounds the repositories remembered; forgetting an idle one only fills its bucket.
const maxBuckets = 10_000

// ask triggers now, or makes sure that a trigger is pending. It tells which.
func (t *throttle) ask(key string) (now bool) {
	t.mu.Lock()
	moment := t.clock.Now()
	b := t.bucketLocked(key, moment)
	if b.pending {
		t.mu.Unlock()
		return false
	}
	wait := b.limiter.ReserveN(moment, 1).DelayFrom(moment)
	b.pending = wait > 0
	t.mu.Unlock()
	if wait > 0 {
		t.clock.AfterFunc(wait, func() { t.fire(key) })
		return false
	}
	t.trigger(key)
	return true
}

// fire does the pending poll. Whoever asks from now on is not covered by it.
func (t *throttle) fire(key string) {
	t.mu.Lock()
	if b := t.buckets[key]; b != nil {
		b.pending = false
	}
	t.mu.Unlock()
	t.trigger(key)
}

func (t *throttle) bucketLocked(key string, now time.Time) *bucket {
	b := t.buckets[key]
	if b == nil {
		t.sweepLocked(now)
		b = &bucket{limiter: rate.NewLimiter(rate.Every(t.refill), t.burst)}
		t.buckets[key] = b
	}
	b.used = now
	return b
}

// sweepLocked forgets buckets that are full again.
func (t *throttle) sweepLocked(now time.Time) {
	if len(t.buckets) < maxBuckets {
		return
	}
	idle := t.refill * time.Duration(t.burst+1)
	for key, b := range t.buckets {
		if !b.pending && now.Sub(b.used) > idle {
			delete(t.buckets, key)
		}
	}
}
