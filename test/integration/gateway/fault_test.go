package gateway_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/muster-dev/muster/internal/gateway"
)

// crashAfter starts a replica whose first request of one kind is done and then
// fails, as if the gateway had died before it heard the answer.
func (h *hub) crashAfter(call string) *replica {
	config := rest.CopyConfig(h.config)
	var once sync.Once
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if r.Method+" "+kindOf(r.URL.Path) != call {
				return resp, err
			}
			crashed := false
			once.Do(func() { crashed = true })
			if crashed && err == nil {
				if err := resp.Body.Close(); err != nil {
					return nil, err
				}
				return nil, errors.New("crash")
			}
			return resp, err
		})
	})
	return h.startWith(config, &calls{by: map[string]int{}})
}

// behind starts a replica whose watches of one resource are held back while held is true.
func (h *hub) behind(resource string, held *gate, change ...func(*gateway.Options)) *replica {
	config := rest.CopyConfig(h.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && strings.Contains(r.URL.RawQuery, "watch=true") && kindOf(r.URL.Path) == resource {
				resp.Body = &heldBody{readCloser: resp.Body, held: held}
			}
			return resp, err
		})
	})
	return h.startWith(config, &calls{by: map[string]int{}}, change...)
}

// gate holds readers back while it is shut.
type gate struct {
	mu   sync.Mutex
	shut bool
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}

// heldBody delivers what was read only when its gate is open.
type heldBody struct {
	readCloser
	held   *gate
	mu     sync.Mutex
	closed bool
}

type readCloser = interface {
	Read([]byte) (int, error)
	Close() error
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.readCloser.Read(p)
	for b.held.isShut() && !b.isClosed() {
		time.Sleep(5 * time.Millisecond)
	}
	return n, err
}

func (b *heldBody) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.readCloser.Close()
}

func (b *heldBody) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
