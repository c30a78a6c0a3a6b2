package gateway

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// stream is one open GET /assignment?watch=1.
type stream struct {
	// poked holds one wish to look again whether the stream may stay.
	poked chan struct{}
	// closed is closed when it must end.
	closed chan struct{}
	once   sync.Once
}

func (s *stream) close() { s.once.Do(func() { close(s.closed) }) }

// streams holds the newest stream of each cluster.
type streams struct {
	limit int
	mu    sync.Mutex
	// open, count and ended are guarded by mu.
	open  map[client.ObjectKey]*stream
	count int
	ended bool
}

func newStreams(limit int) *streams {
	return &streams{limit: limit, open: map[client.ObjectKey]*stream{}}
}

// add opens a stream in place of an older one of the same cluster: the older
// connection is dead more often than not. It returns nil when there are too many.
func (s *streams) add(name client.ObjectKey) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count >= s.limit || s.ended {
		return nil
	}
	if old := s.open[name]; old != nil {
		old.close()
	}
	st := &stream{poked: make(chan struct{}, 1), closed: make(chan struct{})}
	s.open[name] = st
	s.count++
	return st
}

// remove ends a stream and tells whether it was the cluster's newest.
func (s *streams) remove(name client.ObjectKey, st *stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.close()
	s.count--
	if s.open[name] != st {
		return false
	}
	delete(s.open, name)
	return true
}

// has tells whether a cluster has a stream on this replica.
func (s *streams) has(name client.ObjectKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[name] != nil
}

// poke makes a cluster's stream look again whether it may stay.
func (s *streams) poke(name client.ObjectKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.open[name]; st != nil {
		select {
		case st.poked <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// closeWhere ends the streams of the clusters that doomed names.
func (s *streams) closeWhere(doomed func(client.ObjectKey) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, st := range s.open {
		if doomed(name) {
			st.close()
		}
	}
}

// closeAll ends every stream for good.
func (s *streams) closeAll() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.closeWhere(func(client.ObjectKey) bool { return true })
}

func (s *streams) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
