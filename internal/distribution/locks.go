package distribution

import (
	"sort"
	"sync"
)

// keyedLocks lets one bundle be worked on by one caller at a time.
type keyedLocks struct {
	mu    sync.Mutex // guards locks
	locks map[string]*sync.Mutex
}

// lockAll takes the locks of all bundles, in order of their keys so that two
// batches never wait for each other.
func (k *keyedLocks) lockAll(desired []Desired) (unlock func()) {
	keys := make([]string, 0, len(desired))
	for _, d := range desired {
		keys = append(keys, d.Key())
	}
	sort.Strings(keys)
	var taken []*sync.Mutex
	last := ""
	for _, key := range keys {
		if key == last {
			continue
		}
		last = key
		l := k.get(key)
		l.Lock()
		taken = append(taken, l)
	}
	return func() {
		for _, l := range taken {
			l.Unlock()
		}
	}
}

func (k *keyedLocks) get(key string) *sync.Mutex {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks == nil {
		k.locks = map[string]*sync.Mutex{}
	}
	l, ok := k.locks[key]
	if !ok {
		l = &sync.Mutex{}
		k.locks[key] = l
	}
	return l
}
