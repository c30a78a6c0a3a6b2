package bundle

import "sync"

// Cache remembers, between two Loads of one repository, which directories hold
// what and which bundles were faulty, so that a Load reads only what changed. It
// keeps what the last Load used and forgets the rest. The zero value is ready.
type Cache struct {
	mu       sync.Mutex // guards both maps
	shapes   map[string]shape
	outcomes map[string]outcome
}

// outcome is what reading a bundle of some identity led to, its files left out.
type outcome struct {
	name     string
	labels   map[string]string
	kind     Kind
	problems []Problem
	broken   bool
	unnamed  bool
}

// working is a Cache in the hands of one Load: what it touches survives.
type working struct {
	old, kept Cache
}

func (c *Cache) begin() *working {
	w := &working{kept: Cache{shapes: map[string]shape{}, outcomes: map[string]outcome{}}}
	if c == nil {
		return w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w.old.shapes, w.old.outcomes = c.shapes, c.outcomes
	return w
}

func (c *Cache) finish(w *working) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shapes, c.outcomes = w.kept.shapes, w.kept.outcomes
}

func (w *working) shape(hash string) (shape, bool) {
	if s, ok := w.kept.shapes[hash]; ok {
		return s, true
	}
	s, ok := w.old.shapes[hash]
	return s, ok
}

func (w *working) outcome(identity string) (outcome, bool) {
	if o, ok := w.kept.outcomes[identity]; ok {
		return o, true
	}
	o, ok := w.old.outcomes[identity]
	if ok {
		w.kept.outcomes[identity] = o
	}
	return o, ok
}
