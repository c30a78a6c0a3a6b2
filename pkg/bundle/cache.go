package bundle

import "sync"

// Cache remembers, between two Loads of one repository, which directories hold
// what and which bundles were faulty, so that a Load reads only what changed. It
// keeps what the last Load used and forgets the rest. With it, a bundle that
// Deployable takes out comes without Spec and Files when it was seen before. The
// zero value is ready.
type Cache struct {
	mu       sync.Mutex // guards the maps
	shapes   map[string]shape
	owns     map[string]string
	outcomes map[string]outcome
}

// outcome is what reading a bundle of some identity led to, its files left out.
type outcome struct {
	name     string
	nameAt   Position
	labels   map[string]string
	kind     Kind
	problems []Problem
	// unsupported is set of a bundle that is read and not deployed.
	unsupported []string
	// needs are the bundles that it waits for.
	needs   []need
	broken  bool
	unnamed bool
}

// working is a Cache in the hands of one Load: what it touches survives.
type working struct {
	old, kept Cache
}

func (c *Cache) begin() *working {
	w := &working{kept: Cache{shapes: map[string]shape{}, owns: map[string]string{}, outcomes: map[string]outcome{}}}
	if c == nil {
		return w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w.old.shapes, w.old.owns, w.old.outcomes = c.shapes, c.owns, c.outcomes
	return w
}

func (c *Cache) finish(w *working) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shapes, c.owns, c.outcomes = w.kept.shapes, w.kept.owns, w.kept.outcomes
}

// shape, own and outcome find what is known and keep it for the next Load.
func (w *working) shape(hash string) (shape, bool) { return keep(w.kept.shapes, w.old.shapes, hash) }

func (w *working) own(hash string) (string, bool) { return keep(w.kept.owns, w.old.owns, hash) }

func (w *working) outcome(identity string) (outcome, bool) {
	return keep(w.kept.outcomes, w.old.outcomes, identity)
}

func keep[T any](kept, old map[string]T, key string) (T, bool) {
	if v, ok := kept[key]; ok {
		return v, true
	}
	v, ok := old[key]
	if ok {
		kept[key] = v
	}
	return v, ok
}
