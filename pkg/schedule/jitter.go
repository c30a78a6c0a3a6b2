package schedule

import (
	"hash/fnv"
	"math"
	"time"
)

// Jitter is a delay in [0, fraction*interval) that depends on the key alone: a thousand repositories with one interval
// spread out, each keeps its place over restarts, and a test can say where it is. fraction is cut to [0, 1].
func Jitter(key string, interval time.Duration, fraction float64) time.Duration {
	fraction = min(max(fraction, 0), 1)
	if interval <= 0 || math.IsNaN(fraction) {
		return 0
	}
	h := fnv.New64a()
	// A hash never fails to take bytes.
	_, _ = h.Write([]byte(key))
	// FNV's high bits hardly move for short keys; a multiplication mixes them. 53 bits are what a float64 holds.
	place := float64((mix(h.Sum64()))>>11) / (1 << 53)
	return time.Duration(place * fraction * float64(interval))
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Backoff is how long to wait after so many failures in a row: nothing after none, base after the first, then twice as
// long each time, never more than most.
func Backoff(failures int, base, most time.Duration) time.Duration {
	if failures <= 0 || base <= 0 || most <= 0 {
		return 0
	}
	wait := base
	for range failures - 1 {
		if wait >= most/2 {
			return most
		}
		wait *= 2
	}
	return min(wait, most)
}
