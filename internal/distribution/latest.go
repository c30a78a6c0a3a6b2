package distribution

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func metav1Time(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// Latest remembers objects as they were last written, since a cache may still
// show an older one for a moment; a write based on that would be refused.
type Latest[T client.Object] struct {
	mu   sync.Mutex // guards seen
	seen map[client.ObjectKey]T
}

// Wrote remembers what a write returned.
func (l *Latest[T]) Wrote(obj T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[client.ObjectKey]T{}
	}
	l.seen[client.ObjectKeyFromObject(obj)] = obj
}

// Forget drops what is remembered, after a conflict or a deletion.
func (l *Latest[T]) Forget(key client.ObjectKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.seen, key)
}

// Newest returns the newer of what a cache shows and what was written. The
// cache wins as soon as it has caught up; then nothing is remembered any more.
func (l *Latest[T]) Newest(key client.ObjectKey, cached T, inCache bool) (T, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wrote, ok := l.seen[key]
	if !ok {
		return cached, inCache
	}
	if inCache && !older(cached.GetResourceVersion(), wrote.GetResourceVersion()) {
		delete(l.seen, key)
		return cached, true
	}
	return wrote, true
}

// older compares resourceVersions, which are decimal numbers that grow
// (KEP-5504 made that a promise).
func older(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}
