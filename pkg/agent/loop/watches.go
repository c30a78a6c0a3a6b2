package loop

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/agent/watch"
	"github.com/muster-dev/muster/pkg/content"
)

// syncPatience is how long a start waits for kinds that cannot be listed
// before it reports without them; keepRetry when a kind is tried again.
const (
	syncPatience = 10 * time.Second
	keepRetry    = 5 * time.Second
	// factsPause gathers several new definitions into one look at what is served.
	factsPause = 5 * time.Second
)

// keepWatches makes the watched kinds those of the inventories.
func (l *Loop) keepWatches(ctx context.Context) {
	if !l.kindsDue || l.keeping {
		return
	}
	l.kindsDue, l.keeping = false, true
	kinds := l.core.Kinds()
	l.tasks.Go(func() {
		wanted, missing, again := l.resources(kinds)
		l.watcher.Keep(ctx, wanted)
		l.post(ctx, func() { l.kept(ctx, missing, again) })
	})
}

// resources finds how the kinds are reached. missing are kinds that nobody
// serves; again tells that some could not be found out.
func (l *Loop) resources(kinds map[[3]string]bool) (wanted map[kube.Resource]bool, missing [][3]string, again bool) {
	wanted = map[kube.Resource]bool{}
	seen := map[[2]string]bool{}
	for k := range kinds {
		if seen[[2]string{k[0], k[1]}] {
			continue // one watch sees all versions
		}
		r, err := l.client.Kinds.Any(k[0], k[1], k[2])
		switch {
		case errors.Is(err, kube.ErrNotServed):
			missing = append(missing, k)
			again = true
		case err != nil:
			again = true
		default:
			wanted[r] = true
			seen[[2]string{k[0], k[1]}] = true
		}
	}
	return wanted, missing, again
}

func (l *Loop) kept(ctx context.Context, missing [][3]string, again bool) {
	l.keeping = false
	for _, k := range missing {
		l.core.Step(core.Listed{Group: k[0], Kind: k[1]})
	}
	l.noteSynced()
	if !l.synced {
		l.later(ctx, syncPatience, func() { l.finishSync() })
	}
	if again {
		l.later(ctx, keepRetry, func() { l.kindsDue = true })
	}
}

// later runs f on the loop's goroutine after d.
func (l *Loop) later(ctx context.Context, d time.Duration, f func()) {
	l.tasks.Go(func() {
		rest(ctx, d)
		l.post(ctx, f)
	})
}

func (l *Loop) noteSynced() {
	if !l.synced && !l.keeping && l.watcher.Synced() {
		l.finishSync()
	}
}

func (l *Loop) finishSync() {
	if !l.synced {
		l.synced = true
		l.core.Step(core.Synced{})
		l.shelf.Rest()
	}
}

// see takes what a watch saw.
func (l *Loop) see(s watch.Sight) {
	switch e := s.Event.(type) {
	case core.Observed:
		e.Key = l.core.Held(e.Key)
		l.explain(e, s.Object)
		l.core.Step(e)
	case core.Vanished:
		e.Key = l.core.Held(e.Key)
		l.core.Step(e)
		l.factsStale = l.factsStale || definesKinds(e.Key)
	case core.Listed:
		l.core.Step(l.heldKeys(e))
		l.noteSynced()
	}
	if s.Defined != nil && l.client.Kinds.Learn(*s.Defined) {
		l.core.Step(core.KindsChanged{})
		l.kindsDue = true
		l.factsStale = true
	}
}

func definesKinds(k content.Key) bool {
	group, kind, _, _ := k.Split()
	return group == "apiextensions.k8s.io" && kind == "CustomResourceDefinition"
}

func (l *Loop) heldKeys(e core.Listed) core.Listed {
	keys := make(map[content.Key]bool, len(e.Keys))
	for k := range e.Keys {
		keys[l.core.Held(k)] = true
	}
	e.Keys = keys
	return e
}

// explain adds, for an object that is not as we left it, what differs.
func (l *Loop) explain(e core.Observed, object map[string]any) {
	x, ok := l.core.Expected(e.Key)
	if ok && e.Live.Prints[x.Manager] != x.Print {
		l.applier.Explain(e.Live, object, x.Content, e.Key, x.Manager)
	}
}

// raw is the part of an object that a rebuild needs.
type raw struct {
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		UID         string            `json:"uid"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

func decodeRaw(data json.RawMessage) (raw, error) {
	var r raw
	err := json.Unmarshal(data, &r)
	return r, err
}
