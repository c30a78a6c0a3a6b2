package charts

import (
	"context"
	"sync"
)

// gates let so many callers at a time through each.
type gates struct {
	width int

	mu    sync.Mutex // guards byKey and the counts of waiting callers
	byKey map[string]*gate
}

type gate struct {
	inside  chan struct{}
	callers int
}

func newGates(width int) *gates { return &gates{width: width, byKey: map[string]*gate{}} }

// enter waits until the gate lets one more through; the caller then calls leave.
func (g *gates) enter(ctx context.Context, key string) (leave func(), err error) {
	g.mu.Lock()
	at, ok := g.byKey[key]
	if !ok {
		at = &gate{inside: make(chan struct{}, g.width)}
		g.byKey[key] = at
	}
	at.callers++
	g.mu.Unlock()
	select {
	case at.inside <- struct{}{}:
		return func() { <-at.inside; g.forget(key, at) }, nil
	case <-ctx.Done():
		g.forget(key, at)
		return nil, ctx.Err()
	}
}

func (g *gates) forget(key string, at *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at.callers--; at.callers == 0 {
		delete(g.byKey, key)
	}
}
