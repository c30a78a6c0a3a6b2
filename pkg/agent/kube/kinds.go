package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// refreshGap is the least time between two discoveries.
const refreshGap = time.Second

// ErrNotServed says that a complete discovery does not hold a kind, so that no
// object of it can exist.
var ErrNotServed = errors.New("kind is not served")

// Resource is how a kind is reached.
type Resource struct {
	Group, Version, Kind string
	// Name is the plural in paths.
	Name       string
	Namespaced bool
}

// Path of one object; with an empty name of all, with an empty namespace across namespaces.
func (r Resource) Path(namespace, name string) string {
	path := "/apis/" + r.Group + "/" + r.Version
	if r.Group == "" {
		path = "/api/" + r.Version
	}
	if r.Namespaced && namespace != "" {
		path += "/namespaces/" + namespace
	}
	path += "/" + r.Name
	if name != "" {
		path += "/" + name
	}
	return path
}

// Kinds knows what the cluster serves. It asks discovery, aggregated where the
// server can, when it meets a kind it does not know.
type Kinds struct {
	config *rest.Config

	mu        sync.Mutex // guards all below, and lets one discovery run at a time
	found     map[schema.GroupKind][]Resource
	learnt    map[schema.GroupKind]Resource
	failed    map[string]error // groups that could not be discovered
	asked     time.Time
	all       []Resource
	versions  []string
	discovery *discovery.DiscoveryClient
}

func newKinds(config *rest.Config) *Kinds {
	return &Kinds{config: config, learnt: map[schema.GroupKind]Resource{}}
}

// Find returns how a kind is reached, in the given version if it is served.
// ErrNotServed is certain; every other error means that nobody knows.
func (k *Kinds) Find(group, kind, version string) (Resource, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	gk := schema.GroupKind{Group: group, Kind: kind}
	if r, ok := k.lookLocked(gk, version); ok {
		return r, nil
	}
	if err := k.refreshLocked(); err != nil {
		return Resource{}, fmt.Errorf("discover %s: %w", gk, err)
	}
	if r, ok := k.lookLocked(gk, version); ok {
		return r, nil
	}
	if err := k.failed[group]; err != nil {
		return Resource{}, fmt.Errorf("discover %s: %w", gk, err)
	}
	return Resource{}, fmt.Errorf("%s: %w", gk, ErrNotServed)
}

func (k *Kinds) lookLocked(gk schema.GroupKind, version string) (Resource, bool) {
	served := k.found[gk]
	for _, r := range served {
		if r.Version == version {
			return r, true
		}
	}
	if r, ok := k.learnt[gk]; ok && (version == "" || r.Version == version || len(served) == 0) {
		return r, true
	}
	if len(served) > 0 && version == "" {
		return served[0], true
	}
	return Resource{}, false
}

// Any is Find in any served version, the preferred one first.
func (k *Kinds) Any(group, kind, version string) (Resource, error) {
	r, err := k.Find(group, kind, version)
	if errors.Is(err, ErrNotServed) && version != "" {
		return k.Find(group, kind, "")
	}
	return r, err
}

// Learn remembers a kind from its definition, before discovery shows it, and
// tells whether that was news.
func (k *Kinds) Learn(r Resource) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	gk := schema.GroupKind{Group: r.Group, Kind: r.Kind}
	if k.learnt[gk] == r {
		return false
	}
	k.learnt[gk] = r
	return true
}

// Forget makes the next unknown kind ask discovery at once, and drops a kind
// whose definition is gone.
func (k *Kinds) Forget(group, kind string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	gk := schema.GroupKind{Group: group, Kind: kind}
	delete(k.learnt, gk)
	delete(k.found, gk)
	k.asked = time.Time{}
}

// Refresh asks discovery.
func (k *Kinds) Refresh(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = time.Time{}
	return k.refreshLocked()
}

// All returns every listable resource, once each in the preferred version.
func (k *Kinds) All() []Resource {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.all)
}

// APIVersions returns group/version and group/version/Kind of all that is
// served, sorted, as charts ask for them.
func (k *Kinds) APIVersions() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.versions)
}

// Complete tells whether the last discovery missed no group.
func (k *Kinds) Complete() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found != nil && len(k.failed) == 0
}

func (k *Kinds) refreshLocked() error {
	if k.found != nil && time.Since(k.asked) < refreshGap {
		return nil
	}
	if k.discovery == nil {
		client, err := discovery.NewDiscoveryClientForConfig(k.config)
		if err != nil {
			return fmt.Errorf("make a discovery client: %w", err)
		}
		k.discovery = client
	}
	_, lists, err := k.discovery.ServerGroupsAndResources()
	var partial *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partial) {
		return err
	}
	k.asked = time.Now()
	k.failed = map[string]error{}
	if partial != nil {
		for gv, err := range partial.Groups {
			k.failed[gv.Group] = err
		}
	}
	k.takeLocked(lists)
	return nil
}

// takeLocked keeps of a discovery what the agent needs.
func (k *Kinds) takeLocked(lists []*metav1.APIResourceList) {
	k.found, k.all, k.versions = map[schema.GroupKind][]Resource{}, nil, nil
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue // no object can be of a version that does not parse
		}
		k.versions = append(k.versions, list.GroupVersion)
		for i := range list.APIResources {
			k.takeResourceLocked(gv, &list.APIResources[i])
		}
	}
	slices.Sort(k.versions)
	k.versions = slices.Compact(k.versions)
}

func (k *Kinds) takeResourceLocked(gv schema.GroupVersion, r *metav1.APIResource) {
	if slices.Contains([]byte(r.Name), '/') || !slices.Contains([]string(r.Verbs), "get") {
		return
	}
	gk := schema.GroupKind{Group: gv.Group, Kind: r.Kind}
	resource := Resource{Group: gv.Group, Version: gv.Version, Kind: r.Kind, Name: r.Name, Namespaced: r.Namespaced}
	if len(k.found[gk]) == 0 && slices.Contains([]string(r.Verbs), "list") {
		k.all = append(k.all, resource)
	}
	k.found[gk] = append(k.found[gk], resource)
	k.versions = append(k.versions, gv.String()+"/"+r.Kind)
}
