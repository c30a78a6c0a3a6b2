package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/health"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// The spans of a watch.
const (
	// sweep is how often a kind is listed again although its watch is well,
	// since watches have lost events before (etcd#18089); plus up to half.
	sweep = 2 * time.Hour
	// retryFirst and retryLast bound the pause after a broken list or watch.
	retryFirst, retryLast = 500 * time.Millisecond, time.Minute
)

// Sight is one object as a watch saw it; Object is nil for other events.
type Sight struct {
	Event  core.Event
	Object map[string]any
	// Defined is set when the object is a definition that is established.
	Defined *kube.Resource
}

// Watcher watches a growing set of kinds.
type Watcher struct {
	client *kube.Client
	out    chan<- Sight

	mu      sync.Mutex // guards the maps
	running map[kube.Resource]context.CancelFunc
	listed  map[kube.Resource]bool
	group   sync.WaitGroup
}

// New returns a watcher that sends what it sees to out.
func New(client *kube.Client, out chan<- Sight) *Watcher {
	return &Watcher{client: client, out: out, running: map[kube.Resource]context.CancelFunc{}, listed: map[kube.Resource]bool{}}
}

// Keep makes exactly these kinds watched. Those that are watched already go on.
func (w *Watcher) Keep(ctx context.Context, wanted map[kube.Resource]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for r, stop := range w.running {
		if !wanted[r] {
			stop()
			delete(w.running, r)
			delete(w.listed, r)
		}
	}
	for r := range wanted {
		if w.running[r] != nil {
			continue
		}
		inner, stop := context.WithCancel(ctx)
		w.running[r] = stop
		w.group.Go(func() { w.run(inner, r) })
	}
}

// Synced tells whether every kind was listed since the start.
func (w *Watcher) Synced() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.listed) == len(w.running)
}

// Wait returns when everything has stopped; the context of Keep ends it.
func (w *Watcher) Wait() { w.group.Wait() }

// run lists and watches one kind until ctx ends.
func (w *Watcher) run(ctx context.Context, r kube.Resource) {
	for failures := 0; ctx.Err() == nil; {
		err := w.round(ctx, r)
		failures++
		if errors.Is(err, errSweep) || kube.IsExpired(err) {
			failures = 0
			continue
		}
		pause(ctx, failures)
	}
}

func pause(ctx context.Context, failures int) {
	d := min(retryFirst<<min(failures-1, 10), retryLast)
	timer := time.NewTimer(rand.N(d)) // full jitter
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var errSweep = errors.New("time to list again")

// round lists once and follows the watch until it has to list again.
func (w *Watcher) round(ctx context.Context, r kube.Resource) error {
	ctx, cancel := context.WithTimeoutCause(ctx, sweep+rand.N(sweep/2), errSweep)
	defer cancel()
	revision, err := w.list(ctx, r)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if revision, err = w.follow(ctx, r, revision); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func (w *Watcher) list(ctx context.Context, r kube.Resource) (string, error) {
	keys := map[content.Key]bool{}
	revision, _, err := w.client.List(ctx, r.Path("", ""), kube.ListOptions{Selector: v1alpha1.LabelBundle},
		func(data json.RawMessage) error {
			object, err := health.Decode(data)
			if err != nil {
				return err
			}
			object["kind"], object["apiVersion"] = r.Kind, apiVersion(r)
			key := keyOf(r, object)
			keys[key] = true
			w.send(ctx, w.sight(r, key, object, data))
			return nil
		})
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	if w.running[r] != nil {
		w.listed[r] = true
	}
	w.mu.Unlock()
	w.send(ctx, Sight{Event: core.Listed{Group: r.Group, Kind: r.Kind, Revision: revision, Keys: keys}})
	return revision, nil
}

func apiVersion(r kube.Resource) string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

func keyOf(r kube.Resource, object map[string]any) content.Key {
	metadata, _ := object["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	namespace, _ := metadata["namespace"].(string)
	return content.NewKey(r.Group, r.Kind, namespace, name)
}

func (w *Watcher) sight(r kube.Resource, key content.Key, object map[string]any, data []byte) Sight {
	s := Sight{Event: core.Observed{Key: key, Live: health.Look(object)}, Object: object}
	if r.Group == "apiextensions.k8s.io" {
		if defined, ok := kube.Defined(data); ok && s.Event.(core.Observed).Live.Health == core.HealthCurrent {
			s.Defined = &defined
		}
	}
	return s
}

func (w *Watcher) send(ctx context.Context, s Sight) {
	select {
	case w.out <- s:
	case <-ctx.Done():
	}
}

// follow opens one watch and returns the revision from which to open the next:
// the API server ends watches now and then.
func (w *Watcher) follow(ctx context.Context, r kube.Resource, revision string) (string, error) {
	stream, err := w.client.Watch(ctx, r.Path("", ""), v1alpha1.LabelBundle, revision)
	if err != nil {
		return "", fmt.Errorf("watch %s: %w", r.Path("", ""), err)
	}
	defer stream.Close()
	decoder := json.NewDecoder(stream)
	began := revision
	for {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := decoder.Decode(&event); err != nil {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			if errors.Is(err, io.EOF) && revision != began {
				return revision, nil
			}
			return "", fmt.Errorf("watch %s: %w", r.Path("", ""), err)
		}
		if event.Type == "ERROR" {
			return "", fmt.Errorf("watch %s: %w", r.Path("", ""), statusError(event.Object))
		}
		if revision, err = w.take(ctx, r, event.Type, event.Object); err != nil {
			return "", err
		}
	}
}

// take sends one event on and returns its revision.
func (w *Watcher) take(ctx context.Context, r kube.Resource, kind string, data []byte) (string, error) {
	object, err := health.Decode(data)
	if err != nil {
		return "", err
	}
	key, live := keyOf(r, object), health.Look(object)
	switch kind {
	case "BOOKMARK":
	case "DELETED":
		w.send(ctx, Sight{Event: core.Vanished{Key: key, Revision: live.Revision}})
	default:
		w.send(ctx, w.sight(r, key, object, data))
	}
	return live.Revision, nil
}

// statusError is the error that a watch event of type ERROR carries.
func statusError(data []byte) error {
	var status struct {
		Code    int    `json:"code"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(data, &status); err != nil {
		return fmt.Errorf("decode a watch error: %w", err)
	}
	return kube.NewStatus(status.Code, status.Reason, status.Message)
}
