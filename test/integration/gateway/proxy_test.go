package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/protocol"
)

// TestAgentsWorkThroughAProxyThatEndsTLS puts the gateway behind a path of a
// proxy that speaks HTTP/2 to agents and HTTP/1.1 to the gateway.
func TestAgentsWorkThroughAProxyThatEndsTLS(t *testing.T) {
	h := newHub(t)
	r := h.start()
	target, err := url.Parse(r.url)
	check(t, err)
	var mu sync.Mutex
	versions := map[string]bool{}
	forward := http.StripPrefix("/hub", httputil.NewSingleHostReverseProxy(target))
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		versions[req.Proto] = true
		mu.Unlock()
		forward.ServeHTTP(w, req)
	}))
	proxy.EnableHTTP2 = true
	proxy.StartTLS()
	defer proxy.Close()

	token := rewritten(t, h.token(proxy.URL+"/hub", forCluster("a")), func(tok *protocol.Token) { tok.CA = hubclient.CAHash(proxy.Certificate()) })
	id, err := join(t, token, newKey(t), "a", hubclient.Options{})
	check(t, err)
	c, err := hubclient.New(id, hubclient.Options{})
	check(t, err)
	updates, stop := watching(t, c, "")
	defer stop()
	item := h.put(`{"v":1}`)
	for revision := int64(1); revision <= 3; revision++ {
		h.compose(id, 0, revision, h.entry("u", item, revision))
		if u := next(t, "a document through the proxy", updates); u.Document.Revision != revision {
			t.Errorf("revision %d, want %d", u.Document.Revision, revision)
		}
	}
	if _, err := c.Content(t.Context(), string(item)); err != nil {
		t.Error(err)
	}
	check(t, c.Report(t.Context(), failed(c.Session(), 1, 1)))
	if len(versions) != 1 || !versions["HTTP/2.0"] {
		t.Errorf("agents spoke %v to the proxy", versions)
	}
}

// TestAgentsThatLostTheHubTogetherComeBackOneByOne restarts a hub that admits
// few streams a second.
func TestAgentsThatLostTheHubTogetherComeBackOneByOne(t *testing.T) {
	h := newHub(t)
	const agents = 40
	slow := func(o *gateway.Options) { o.Limits.StreamsPerSecond, o.Limits.StreamBurst = 10, 3 }
	joining := h.start()
	var mu sync.Mutex
	busy, connected := 0, map[int]bool{}
	r := h.start(slow)
	var ids []hubclient.Identity
	for i := range agents {
		ids = append(ids, joining.joined(fmt.Sprintf("a%d", i)))
	}
	began := time.Now()
	for i, id := range ids {
		c := r.client(id, func(o *hubclient.Options) {
			o.OnState = func(s hubclient.State) {
				mu.Lock()
				defer mu.Unlock()
				if s.Connected {
					connected[i] = true
				}
				if codeOf(s.Err) == protocol.CodeBusy {
					busy++
				}
			}
		})
		watching(t, c, "")
	}
	await(t, "all are back", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(connected) == agents
	})
	if busy == 0 {
		t.Errorf("forty streams in %s were admitted at 10 a second", time.Since(began))
	}
}
