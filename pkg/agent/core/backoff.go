package core

import (
	"hash/fnv"
	"time"
)

// backoff returns how long to wait after the nth failure: doubling from first
// to last, less up to a quarter by the key, so that many do not come at once.
// It is a function of its arguments, so that a simulation can be replayed.
func backoff(n int, first, last time.Duration, key string) time.Duration {
	d := first
	for i := 1; i < n && d < last; i++ {
		d *= 2
	}
	d = min(d, last)
	h := fnv.New32a()
	h.Write([]byte(key)) // never fails, as hash.Hash promises
	return d - time.Duration(uint64(h.Sum32())%uint64(d/4+1))
}

// The spans of the backoffs.
const (
	fetchFirst, fetchLast           = 500 * time.Millisecond, time.Minute
	retryFirst, retryLast           = 250 * time.Millisecond, time.Minute
	permanentFirst, permanentLast   = 10 * time.Second, 10 * time.Minute
	waitingFirst, waitingLast       = 200 * time.Millisecond, 30 * time.Second
	correctionFirst, correctionLast = time.Second, 5 * time.Minute
	// correctionCalm forgets earlier corrections of an object.
	correctionCalm = 10 * time.Minute
)

func failureBackoff(f Failure, tries int, key string) time.Duration {
	switch f.Kind {
	case FailurePermanent:
		return backoff(tries, permanentFirst, permanentLast, key)
	case FailureWaiting:
		return backoff(tries, waitingFirst, waitingLast, key)
	}
	d := backoff(tries, retryFirst, retryLast, key)
	return max(d, time.Duration(f.RetryAfterSeconds)*time.Second)
}
