package rollout_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/rollout"
)

func TestEveryClusterIsInExactlyOneBucket(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		want, seen := map[string]rollout.Want{}, map[string]rollout.Seen{}
		for i := range 20 {
			name := fmt.Sprint("c", i)
			if r.IntN(3) > 0 {
				want[name] = rollout.Want{Generation: int64(r.IntN(3)), Content: fmt.Sprint(r.IntN(2))}
			}
			if r.IntN(3) > 0 {
				seen[name] = rollout.Seen{Generation: int64(r.IntN(3)), Content: fmt.Sprint(r.IntN(2))}
			}
		}
		p := rollout.Next(time.Time{}, rollout.Strategy{All: true}, want, seen)
		buckets := map[string]int{}
		for _, name := range slices.Concat(p.Advance, p.Done) {
			buckets[name]++
		}
		for _, h := range p.Held {
			buckets[h.Cluster]++
		}
		for name := range want {
			if buckets[name] != 1 {
				t.Fatalf("seed %d: %s is in %d buckets", seed, name, buckets[name])
			}
		}
		if len(buckets) != len(want) || !slices.IsSorted(p.Advance) || !slices.IsSorted(p.Done) {
			t.Fatalf("seed %d: %d clusters in buckets, %d wanted", seed, len(buckets), len(want))
		}
		for _, name := range p.Done {
			if seen[name] != rollout.Seen(want[name]) {
				t.Fatalf("seed %d: %s is called done at %+v, wants %+v", seed, name, seen[name], want[name])
			}
		}
	}
}

// A revert has the old content at a new generation: it is not done.
func ExampleNext() {
	p := rollout.Next(time.Time{}, rollout.Strategy{All: true},
		map[string]rollout.Want{"eu-1": {Generation: 3, Content: "a"}, "us-1": {Generation: 2, Content: "b"}},
		map[string]rollout.Seen{"eu-1": {Generation: 1, Content: "a"}, "us-1": {Generation: 2, Content: "b"}})
	fmt.Println("advance", p.Advance, "done", p.Done)
	// Output: advance [eu-1] done [us-1]
}
