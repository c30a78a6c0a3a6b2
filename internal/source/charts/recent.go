package charts

import (
	"container/list"
	"sync"
)

// recent keeps what was used last, up to a cost.
type recent[V any] struct {
	limit int64

	mu    sync.Mutex // guards the fields below
	spent int64
	order *list.List // of *kept[V], the last used in front
	byKey map[string]*list.Element
}

type kept[V any] struct {
	key   string
	value V
	cost  int64
}

func newRecent[V any](limit int64) *recent[V] {
	return &recent[V]{limit: limit, order: list.New(), byKey: map[string]*list.Element{}}
}

func (r *recent[V]) get(key string) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	element, ok := r.byKey[key]
	if !ok {
		var zero V
		return zero, false
	}
	r.order.MoveToFront(element)
	return element.Value.(*kept[V]).value, true
}

// put keeps a value; one that costs more than all may is forgotten at once.
func (r *recent[V]) put(key string, value V, cost int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked(key)
	r.byKey[key] = r.order.PushFront(&kept[V]{key: key, value: value, cost: cost})
	r.spent += cost
	for r.spent > r.limit {
		r.dropLocked(r.order.Back().Value.(*kept[V]).key)
	}
}

func (r *recent[V]) dropLocked(key string) {
	if element, ok := r.byKey[key]; ok {
		r.spent -= element.Value.(*kept[V]).cost
		r.order.Remove(element)
		delete(r.byKey, key)
	}
}
