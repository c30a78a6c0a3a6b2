package watch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/agent/watch"
	"github.com/muster-dev/muster/pkg/content"
)

var configMaps = kube.Resource{Version: "v1", Kind: "ConfigMap", Name: "configmaps", Namespaced: true}

// server is an API server that has forgotten revision 10: a list made after the
// watch from it failed holds another object.
type server struct {
	expire func(w http.ResponseWriter)

	mu      sync.Mutex
	lists   int
	watches []string // revisions
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	q := r.URL.Query()
	s.mu.Lock()
	if q.Get("watch") == "" {
		s.lists++
		n := s.lists
		s.mu.Unlock()
		fmt.Fprintf(w, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"%d0"},"items":[%s]}`, n, configMap(fmt.Sprint("c", n), n))
		return
	}
	s.watches = append(s.watches, q.Get("resourceVersion"))
	s.mu.Unlock()
	if q.Get("resourceVersion") == "10" {
		s.expire(w)
		return
	}
	event(w, "ADDED", configMap("watched", 21))
	<-r.Context().Done()
}

func configMap(name string, revision int) string {
	return fmt.Sprintf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"%s","namespace":"ns","uid":"uid-%s","resourceVersion":"%d"}}`, name, name, revision)
}

func event(w http.ResponseWriter, kind, object string) {
	fmt.Fprintf(w, `{"type":"%s","object":%s}`, kind, object)
	w.(http.Flusher).Flush()
}

const expired = `{"kind":"Status","apiVersion":"v1","status":"Failure","code":410,"reason":"Expired","message":"too old resource version: 10 (15)"}`

func TestAnExpiredWatchIsListedAgainAtOnce(t *testing.T) {
	for name, expire := range map[string]func(http.ResponseWriter){
		"inside the stream": func(w http.ResponseWriter) { event(w, "ERROR", expired) },
		"as the answer": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, expired)
		},
		"without a reason": func(w http.ResponseWriter) {
			event(w, "ERROR", `{"kind":"Status","apiVersion":"v1","status":"Failure","code":410}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{expire: expire}
			lists, seen := follow(t, s)
			if len(lists) != 2 || !lists[1].Keys[content.NewKey("", "ConfigMap", "ns", "c2")] || lists[1].Keys[content.NewKey("", "ConfigMap", "ns", "c1")] {
				t.Errorf("got lists %+v, want a second one that holds what is there now and no more", lists)
			}
			if want := []string{"c1", "c2", "watched"}; !slices.Equal(seen, want) {
				t.Errorf("saw %v, want %v", seen, want)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if want := []string{"10", "20"}; !slices.Equal(s.watches, want) {
				t.Errorf("got watches from %v, want %v", s.watches, want)
			}
		})
	}
}

// follow watches until the object named watched is seen.
func follow(t *testing.T, s *server) (lists []core.Listed, seen []string) {
	t.Helper()
	test := httptest.NewServer(s)
	defer test.Close()
	client, err := kube.New(&rest.Config{Host: test.URL}, "agent", "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out := make(chan watch.Sight)
	w := watch.New(client, out)
	w.Keep(ctx, map[kube.Resource]bool{configMaps: true})
	defer w.Wait()
	defer cancel()
	for {
		select {
		case sight := <-out:
			switch e := sight.Event.(type) {
			case core.Listed:
				lists = append(lists, e)
			case core.Observed:
				_, _, _, name := e.Key.Split()
				if seen = append(seen, name); name == "watched" {
					return lists, seen
				}
			default:
				text, err := json.Marshal(e)
				t.Fatalf("got %T %s, want nothing to vanish by an expired watch (%v)", e, text, err)
			}
		case <-ctx.Done():
			t.Fatalf("not within 20 s: lists %+v, seen %v", lists, seen)
		}
	}
}
