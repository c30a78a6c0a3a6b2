package distribution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// HubObjects reads the ConfigMaps and Secrets of workspaces that bundles name
// (hubValuesFrom, downstreamResources). They are read live, since no cache may
// list Secrets, and remembered; Check finds those that changed. Nothing is
// asked on behalf of bundles that name none.
type HubObjects struct {
	live  client.Reader
	clock clock.PassiveClock

	mu   sync.Mutex // guards the maps
	seen map[hubRef]hubObject
	uses map[string][]hubRef // by bundle, workspace/name
}

// hubRef names a ConfigMap or Secret on the hub.
type hubRef struct{ kind, namespace, name string }

func (r hubRef) String() string { return r.kind + " " + r.namespace + "/" + r.name }

// hubObject is what one holds; version is empty if it does not exist.
type hubObject struct {
	version string
	at      time.Time
	// data are all values, text and binary alike.
	data map[string][]byte
	// binary are the keys of a ConfigMap's binaryData.
	binary    map[string]bool
	secret    corev1.SecretType
	immutable *bool
}

// believed is how long an object is taken for what it was when it was read last.
const believed = time.Minute

// NewHubObjects returns a reader that reads past any cache.
func NewHubObjects(live client.Reader, c clock.PassiveClock) *HubObjects {
	return &HubObjects{live: live, clock: c, seen: map[hubRef]hubObject{}, uses: map[string][]hubRef{}}
}

// use notes which objects a bundle names, all of them.
func (h *HubObjects) use(bundle string, refs []hubRef) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(refs) == 0 {
		delete(h.uses, bundle)
		return
	}
	h.uses[bundle] = refs
}

// get returns an object as it is or was lately; one with no version does not exist.
func (h *HubObjects) get(ctx context.Context, ref hubRef) (hubObject, error) {
	now := h.clock.Now()
	h.mu.Lock()
	o, ok := h.seen[ref]
	h.mu.Unlock()
	if ok && now.Sub(o.at) < believed {
		return o, nil
	}
	o, err := h.read(ctx, ref)
	if err != nil {
		return hubObject{}, fmt.Errorf("read %s: %w", ref, err)
	}
	o.at = now
	h.mu.Lock()
	h.seen[ref] = o
	h.mu.Unlock()
	return o, nil
}

func (h *HubObjects) read(ctx context.Context, ref hubRef) (hubObject, error) {
	key := client.ObjectKey{Namespace: ref.namespace, Name: ref.name}
	if ref.kind == "Secret" {
		var s corev1.Secret
		if err := h.live.Get(ctx, key, &s); err != nil {
			return hubObject{}, client.IgnoreNotFound(err)
		}
		return hubObject{version: s.ResourceVersion, data: s.Data, secret: s.Type, immutable: s.Immutable}, nil
	}
	var cm corev1.ConfigMap
	if err := h.live.Get(ctx, key, &cm); err != nil {
		return hubObject{}, client.IgnoreNotFound(err)
	}
	o := hubObject{version: cm.ResourceVersion, data: map[string][]byte{}, binary: map[string]bool{}, immutable: cm.Immutable}
	for k, v := range cm.Data {
		o.data[k] = []byte(v)
	}
	for k, v := range cm.BinaryData {
		o.data[k], o.binary[k] = v, true
	}
	return o, nil
}

// Check asks for the version of every object in use and returns the bundles,
// sorted, that name one which changed, came or went. What could not be asked
// stays as it was believed to be.
func (h *HubObjects) Check(ctx context.Context) ([]string, error) {
	users := h.users()
	changed := map[string]bool{}
	var errs []error
	for _, ref := range slices.SortedFunc(maps.Keys(users), compareRefs) {
		version, err := h.version(ctx, ref)
		if err != nil {
			errs = append(errs, fmt.Errorf("look at %s: %w", ref, err))
			continue
		}
		if h.same(ref, version) {
			continue
		}
		for _, bundle := range users[ref] {
			changed[bundle] = true
		}
	}
	return sortedNames(changed), errors.Join(errs...)
}

// users lists the bundles of each object in use, and drops what nobody uses.
func (h *HubObjects) users() map[hubRef][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	users := map[hubRef][]string{}
	for bundle, refs := range h.uses {
		for _, ref := range refs {
			users[ref] = append(users[ref], bundle)
		}
	}
	for ref := range h.seen {
		if users[ref] == nil {
			delete(h.seen, ref)
		}
	}
	return users
}

func compareRefs(a, b hubRef) int {
	return slices.Compare([]string{a.namespace, a.kind, a.name}, []string{b.namespace, b.kind, b.name})
}

// version asks for no data.
func (h *HubObjects) version(ctx context.Context, ref hubRef) (string, error) {
	var m metav1.PartialObjectMetadata
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(ref.kind))
	err := h.live.Get(ctx, client.ObjectKey{Namespace: ref.namespace, Name: ref.name}, &m)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	return m.ResourceVersion, err
}

// same notes that an object still has its version, or forgets it.
func (h *HubObjects) same(ref hubRef, version string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, ok := h.seen[ref]
	if !ok || o.version != version {
		delete(h.seen, ref)
		return false
	}
	o.at = h.clock.Now()
	h.seen[ref] = o
	return true
}
