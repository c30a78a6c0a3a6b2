package agent_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// sendAway answers the first n applies of ConfigMaps with 429.
type sendAway struct {
	mu    sync.Mutex
	left  int
	after string // seconds
	asked []time.Time
}

func (s *sendAway) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, "/configmaps/") {
			return next.RoundTrip(r)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, time.Now())
		if s.left == 0 {
			return next.RoundTrip(r)
		}
		s.left--
		return &http.Response{
			Status: "429 Too Many Requests", StatusCode: http.StatusTooManyRequests, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Retry-After": {s.after}, "Content-Type": {"text/plain"}},
			Body:   io.NopCloser(strings.NewReader("Too many requests, please try again later.")),
		}, nil
	})
}

func TestAServerThatSendsUsAwayIsAskedAgainWhenItSaid(t *testing.T) {
	w := newWorld(t)
	config, busy := rest.CopyConfig(w.config), &sendAway{left: 4, after: "1"}
	config.Wrap(busy.wrap)
	w.startOn(config, w.hub)
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, w.ns(), w.cm("one", "1")))
	w.ready()
	busy.mu.Lock()
	defer busy.mu.Unlock()
	if len(busy.asked) != 5 {
		t.Fatalf("got %d applies, want 4 that were sent away and one that was not", len(busy.asked))
	}
	for i := range busy.asked[1:] {
		if pause := busy.asked[i+1].Sub(busy.asked[i]); pause < time.Second {
			t.Errorf("got pause %s before apply %d, want the second that was asked for", pause, i+2)
		}
	}
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	for _, r := range w.hub.reports {
		if r.Counts[protocol.StateFailed] > 0 {
			t.Errorf("got %+v, want a busy server not called a failure of the bundle", r.Bundles)
		}
	}
}

func TestAnEstablishedDefinitionIsToldTheHub(t *testing.T) {
	w := newWorld(t)
	w.start()
	kind := w.namespace + ".example.org/v1/Fact"
	told := func() bool {
		w.hub.mu.Lock()
		defer w.hub.mu.Unlock()
		var facts []string
		for _, r := range w.hub.reports {
			if r.Facts != nil {
				facts = r.Facts.APIVersions
			}
		}
		return slices.Contains(facts, kind)
	}
	w.entries(w.hub.put(t, bundleA, 1, content.Options{}, definition("facts", "Fact", w.namespace+".example.org")))
	w.ready()
	if told() {
		t.Fatal("the kind was known before it was defined")
	}
	w.eventually("the new kind among the facts", told)
	w.removal(protocol.Removal{UID: bundleA, Workspace: "default", Bundle: "bundle-" + bundleA})
	w.headGone(bundleA)
	w.eventually("the kind not among the facts any more", func() bool { return !told() })
}
