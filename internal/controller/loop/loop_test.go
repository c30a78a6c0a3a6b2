package loop_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-dev/muster/internal/controller/loop"
)

// run runs a loop until the bubble's test is done with it.
func run(t *testing.T, l *loop.Loop[string], body func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	body()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMarkingTwiceIsMarkingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		worked := map[string]int{}
		l := loop.New("test", 1, time.Second, time.Minute, func(_ context.Context, key string) (time.Duration, error) {
			worked[key]++
			return 0, nil
		})
		l.Mark("a")
		l.Mark("a")
		run(t, l, func() {
			synctest.Wait()
			if worked["a"] != 1 {
				t.Errorf("worked %d times", worked["a"])
			}
			time.Sleep(24 * time.Hour)
			if worked["a"] != 1 {
				t.Errorf("worked %d times without a mark", worked["a"])
			}
		})
	})
}

func TestAKeyIsWorkedOnByOneAtATimeAndAMarkMeanwhileIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		busy, most, worked := 0, 0, 0
		l := loop.New("test", 4, time.Second, time.Minute, func(context.Context, string) (time.Duration, error) {
			mu.Lock()
			busy++
			worked++
			most = max(most, busy)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			busy--
			mu.Unlock()
			return 0, nil
		})
		run(t, l, func() {
			l.Mark("a")
			time.Sleep(500 * time.Millisecond)
			l.Mark("a")
			time.Sleep(10 * time.Second)
		})
		if most != 1 || worked != 2 {
			t.Errorf("%d at a time, %d times", most, worked)
		}
	})
}

func TestAnErrorAPanicAndAWaitAreTriedAgainLater(t *testing.T) {
	cases := map[string]struct {
		work func(n int) (time.Duration, error)
		want []time.Duration // when it was worked on
	}{
		"errors back off": {func(n int) (time.Duration, error) {
			if n < 3 {
				return 0, errors.New("not yet")
			}
			return 0, nil
		}, []time.Duration{0, time.Second, 3 * time.Second}},
		"a panic is an error": {func(n int) (time.Duration, error) {
			if n < 2 {
				panic("poison")
			}
			return 0, nil
		}, []time.Duration{0, time.Second}},
		"a wait": {func(n int) (time.Duration, error) {
			if n < 2 {
				return time.Minute, nil
			}
			return 0, nil
		}, []time.Duration{0, time.Minute}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, others := time.Now(), 0
				var at []time.Duration
				l := loop.New("test", 1, time.Second, time.Minute, func(_ context.Context, key string) (time.Duration, error) {
					if key == "other" {
						others++
						return 0, nil
					}
					at = append(at, time.Since(began))
					return c.work(len(at))
				})
				run(t, l, func() {
					l.Mark("a")
					l.Mark("other")
					time.Sleep(time.Hour)
				})
				if others != 1 {
					t.Errorf("another key was worked on %d times", others)
				}
				if len(at) != len(c.want) {
					t.Fatalf("worked at %v, want %v", at, c.want)
				}
				for i := range at {
					if d := at[i] - c.want[i]; d < 0 || d > 50*time.Millisecond {
						t.Errorf("worked at %v, want %v", at, c.want)
					}
				}
			})
		})
	}
}
