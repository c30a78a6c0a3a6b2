package distribution

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/muster-dev/muster/pkg/content"
)

// Reader reads decoded content: wants, indexes, inputs, losses. It remembers
// what it decoded, since content never changes under its id.
type Reader struct {
	store content.Store

	mu    sync.Mutex // guards the fields below
	wants map[content.ID]Wants
	items map[content.ID]index
	// clusters and objects count what the maps hold, since one entry may be a thousand times another.
	clusters, objects int
}

// NewReader returns a reader over store.
func NewReader(store content.Store) *Reader {
	return &Reader{store: store, wants: map[content.ID]Wants{}, items: map[content.ID]index{}}
}

// The reader's maps hold at most this many clusters and objects, some 50 MB;
// a full one starts anew.
const (
	maxClusters = 200_000
	maxObjects  = 200_000
)

// Wants reads a bundle's wants; the empty id is no wants.
func (r *Reader) Wants(ctx context.Context, workspace, id string) (Wants, error) {
	if id == "" {
		return Wants{}, nil
	}
	r.mu.Lock()
	w, ok := r.wants[content.ID(id)]
	r.mu.Unlock()
	if ok {
		return w, nil
	}
	data, err := r.store.Get(ctx, workspace, content.ID(id))
	if err != nil {
		return Wants{}, fmt.Errorf("read wants: %w", err)
	}
	if w, err = DecodeWants(data); err != nil {
		return Wants{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.clusters += len(w.Clusters); r.clusters > maxClusters {
		clear(r.wants)
		r.clusters = len(w.Clusters)
	}
	r.wants[content.ID(id)] = w
	return w, nil
}

// index is what the hub must know of an item without its manifests.
type index struct {
	// objects are its ordinary ones.
	objects []Keyed
	// inputs are what the cluster renders it from. Then objects is empty, and that says nothing: what
	// the cluster makes of it is Unknown here.
	inputs content.ID
}

func (x index) unknown() bool { return x.inputs != "" }

func indexOf(item content.Item) index {
	x := index{objects: keyedObjects(item)}
	if item.Kind == content.KindSource && item.Source != nil {
		x.inputs = item.Source.Inputs
	}
	return x
}

// index reads what is known of an item; the empty id names nothing.
func (r *Reader) index(ctx context.Context, workspace string, id content.ID) (index, error) {
	if id == "" {
		return index{}, nil
	}
	r.mu.Lock()
	x, ok := r.items[id]
	r.mu.Unlock()
	if ok {
		return x, nil
	}
	data, err := r.store.Get(ctx, workspace, id)
	if err != nil {
		return index{}, fmt.Errorf("read index of content: %w", err)
	}
	var item content.Item
	if err := json.Unmarshal(data, &item); err != nil {
		return index{}, fmt.Errorf("read content %s: %w", id, err)
	}
	x = indexOf(item)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.objects += len(x.objects) + 1; r.objects > maxObjects {
		clear(r.items)
		r.objects = len(x.objects) + 1
	}
	r.items[id] = x
	return x, nil
}

// Objects reads the ordinary objects of an item; none of one that the cluster renders.
func (r *Reader) Objects(ctx context.Context, workspace string, id content.ID) ([]Keyed, error) {
	x, err := r.index(ctx, workspace, id)
	return x.objects, err
}

func keyedObjects(item content.Item) []Keyed {
	out := make([]Keyed, 0, len(item.Objects))
	for _, o := range item.Objects {
		if o.Role != content.RoleNone {
			continue
		}
		claims := strings.HasPrefix(string(o.Key), "apps/StatefulSet/") && hasClaims(o.Manifest)
		out = append(out, Keyed{Key: o.Key, Claims: claims})
	}
	return out
}

func hasClaims(manifest []byte) bool {
	var set struct {
		Spec struct {
			VolumeClaimTemplates []json.RawMessage `json:"volumeClaimTemplates"`
		} `json:"spec"`
	}
	// A StatefulSet that does not parse was refused by the renderer; here it would count as protected.
	if err := json.Unmarshal(manifest, &set); err != nil {
		return true
	}
	return len(set.Spec.VolumeClaimTemplates) > 0
}

// Keys is Objects without what only guards need.
func (r *Reader) Keys(ctx context.Context, workspace string, id content.ID) ([]content.Key, error) {
	objects, err := r.Objects(ctx, workspace, id)
	if err != nil {
		return nil, err
	}
	keys := make([]content.Key, len(objects))
	for i, o := range objects {
		keys[i] = o.Key
	}
	return keys, nil
}

// Losses reads an approved loss set.
func (r *Reader) Losses(ctx context.Context, workspace, id string) ([]string, error) {
	data, err := r.store.Get(ctx, workspace, content.ID(id))
	if err != nil {
		return nil, fmt.Errorf("read approved losses: %w", err)
	}
	var set []string
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("read approved losses: %w", err)
	}
	return set, nil
}
