package renderer

import (
	"container/list"
	"sync"
	"time"
)

// forgetLimits is how long a hit limit is remembered: a bundle that burns a
// minute of CPU must not do so for every cluster, yet a busy machine may have
// been the reason.
const forgetLimits = 10 * time.Minute

// memo remembers results by digest, the latest used up to a number of bytes.
// Losing it changes nothing but time.
type memo struct {
	mu    sync.Mutex // guards everything below
	room  int64
	used  int64
	order *list.List // of *remembered, latest first
	byKey map[string]*list.Element
}

type remembered struct {
	digest string
	result result
	size   int64
	until  time.Time // zero = for as long as there is room
}

func newMemo(room int64) *memo {
	return &memo{room: room, order: list.New(), byKey: map[string]*list.Element{}}
}

func (m *memo) get(digest string, now time.Time) (result, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, ok := m.byKey[digest]
	if !ok {
		return result{}, false
	}
	r := element.Value.(*remembered)
	if !r.until.IsZero() && now.After(r.until) {
		m.dropLocked(element)
		return result{}, false
	}
	m.order.MoveToFront(element)
	return r.result, true
}

func (m *memo) put(digest string, res result, now time.Time) {
	r := &remembered{digest: digest, result: res, size: sizeOf(res)}
	if res.problem != nil && res.problem.IsLimit() {
		r.until = now.Add(forgetLimits)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.size > m.room {
		return
	}
	if old, ok := m.byKey[digest]; ok {
		m.dropLocked(old)
	}
	m.byKey[digest] = m.order.PushFront(r)
	m.used += r.size
	for m.used > m.room {
		m.dropLocked(m.order.Back())
	}
}

func (m *memo) dropLocked(element *list.Element) {
	r := m.order.Remove(element).(*remembered)
	delete(m.byKey, r.digest)
	m.used -= r.size
}

// sizeOf is about what a result holds in memory.
func sizeOf(res result) int64 {
	size := int64(512)
	for _, o := range res.item.Objects {
		size += int64(len(o.Manifest)+len(o.Key)) + 128
	}
	return size
}
