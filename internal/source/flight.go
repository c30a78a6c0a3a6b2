package source

import (
	"context"
	"sync"
)

// flights shares one piece of work among callers that want it at the same time. A caller joins a flight only if it has
// not started yet, because one that has may answer with what was true before the caller's push.
type flights[T any] struct {
	work func() (T, error)

	mu      sync.Mutex // guards the fields below
	running *flight[T]
	next    *flight[T]
}

type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// do waits for a flight that starts after the call.
func (f *flights[T]) do(ctx context.Context) (T, error) {
	fl := f.board()
	select {
	case <-fl.done:
		return fl.value, fl.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

func (f *flights[T]) board() *flight[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running == nil {
		f.running = &flight[T]{done: make(chan struct{})}
		go f.run(f.running)
		return f.running
	}
	if f.next == nil {
		f.next = &flight[T]{done: make(chan struct{})}
	}
	return f.next
}

// run does one flight after the other until nobody waits. Work has a deadline of its own, so run ends.
func (f *flights[T]) run(fl *flight[T]) {
	for fl != nil {
		fl.value, fl.err = f.work()
		close(fl.done)
		f.mu.Lock()
		f.running, f.next = f.next, nil
		fl = f.running
		f.mu.Unlock()
	}
}
