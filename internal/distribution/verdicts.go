package distribution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func keyOf(o client.Object) client.ObjectKey { return client.ObjectKeyFromObject(o) }

func splitKey(key string) (workspace, name string) {
	workspace, name, _ = strings.Cut(key, "/")
	return workspace, name
}

func workspaceOf(key string) string {
	workspace, _ := splitKey(key)
	return workspace
}

// errHeld says that what bundles want is changing as a unit right now: half of
// it would part what is to be handed over.
var errHeld = errors.New("the workspace is held")

// wantsFor collects every bundle's say about one cluster: of those that want
// it, and of those that it has or reports and that do not.
func (c *Composer) wantsFor(ctx context.Context, cluster string, previous *protocol.Document, report *Acknowledged) ([]BundleWant, error) {
	var out []BundleWant
	leaving := map[string]string{} // uid -> content it had
	if previous != nil {
		for _, e := range previous.Entries {
			leaving[e.UID] = e.Content
		}
	}
	present := presentOn(previous, report)
	c.mu.Lock()
	if c.held[workspaceOf(cluster)] > 0 {
		c.waiting[cluster] = true
		c.mu.Unlock()
		return nil, errHeld
	}
	for key, b := range c.bundles {
		w := b.wantOn(cluster)
		if w.Verdict == Wanted || present[key][b.uid] {
			out = append(out, w)
		}
		for uid := range present[key] {
			if uid != b.uid {
				out = append(out, predecessor(w, uid))
			}
		}
	}
	c.mu.Unlock()
	for i := range out {
		if err := c.howToRemove(ctx, &out[i], leaving[out[i].UID]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// presentOn lists the uids that a cluster has, by the bundle's workspace/name.
func presentOn(previous *protocol.Document, report *Acknowledged) map[string]map[string]bool {
	present := map[string]map[string]bool{}
	add := func(workspace, name, uid string) {
		key := workspace + "/" + name
		if present[key] == nil {
			present[key] = map[string]bool{}
		}
		present[key][uid] = true
	}
	if previous != nil {
		for _, e := range previous.Entries {
			add(e.Workspace, e.Bundle, e.UID)
		}
	}
	if report != nil {
		for _, h := range report.Heads {
			add(h.Workspace, h.Bundle, h.UID)
		}
	}
	return present
}

func (b *bundleState) wantOn(cluster string) BundleWant {
	w := BundleWant{Workspace: b.workspace, Bundle: b.name, UID: b.uid, Paused: b.paused}
	v, want, ok := b.wants.VariantOf(cluster)
	switch {
	case !b.known:
		w.Verdict = Unknown
	case b.removing:
		w.Verdict = NotWanted
	case ok:
		w.Verdict, w.Generation, w.Content, w.Retain = Wanted, want.Generation, v.Content, want.Retain
	case b.held[cluster]:
		w.Verdict = HeldLoss
	default:
		w.Verdict = NotWanted
	}
	return w
}

// predecessor is a bundle of the same name with another uid: deleted and made
// anew. Its keys are handed over; what is left of it may go unless the new
// bundle holds a loss or is not known.
func predecessor(w BundleWant, uid string) BundleWant {
	old := BundleWant{Workspace: w.Workspace, Bundle: w.Bundle, UID: uid, Verdict: NotWanted}
	if w.Verdict == Unknown || w.Verdict == HeldLoss || w.Retain {
		old.Verdict = HeldLoss
	}
	return old
}

// howToRemove reads from what the cluster has how its objects are to be treated.
func (c *Composer) howToRemove(ctx context.Context, w *BundleWant, had string) error {
	if w.Verdict != NotWanted || had == "" {
		return nil
	}
	data, err := c.store.Get(ctx, w.Workspace, content.ID(had))
	if errors.Is(err, content.ErrNotFound) {
		return nil // The agent still knows the options it applied with.
	}
	if err != nil {
		return fmt.Errorf("read the options of bundle %s/%s: %w", w.Workspace, w.Bundle, err)
	}
	var item struct {
		Options content.Options `json:"options"`
	}
	if err := json.Unmarshal(data, &item); err != nil {
		return fmt.Errorf("read the options of bundle %s/%s: %w", w.Workspace, w.Bundle, err)
	}
	w.Keep, w.DeleteNamespace, w.DeleteCRDs = item.Options.KeepResources, item.Options.DeleteNamespace, item.Options.DeleteCRDs
	return nil
}

// splitMachineName takes a machine object's name apart: workspace names are
// DNS labels and hold no dot.
func splitMachineName(name string) (workspace, object string) {
	workspace, object, _ = strings.Cut(name, ".")
	return workspace, object
}
