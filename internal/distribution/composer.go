package distribution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sort"
	"sync"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Signer is the hub key, as far as composing needs it.
type Signer interface {
	ID() string
	Sign(protocol.Header) (string, error)
	Trust() protocol.TrustSet
}

// MinInterval is the least time between two documents for one cluster; the
// first change is written at once.
const MinInterval = 500 * time.Millisecond

// Composer builds and writes one document per cluster from stored wants. It is
// told of rollouts as they are written or observed, marks the clusters that a
// change touches, and composes those.
type Composer struct {
	client    client.Client
	store     content.Store
	reader    *Reader
	signer    Signer
	hub       *Hub
	namespace string
	clock     clock.PassiveClock
	// dirty is told of clusters that need composing, touched of bundles whose wants on
	// clusters changed, written of clusters whose document did. None may block.
	dirty   func(cluster string)
	touched func(bundle string, clusters []string)
	written func(cluster string)

	assignments Latest[*v1alpha1.Assignment]

	mu sync.Mutex // guards the fields below
	// bundles by workspace/name.
	bundles map[string]*bundleState
	// documents by workspace/name of the cluster, as stored.
	documents map[string]*protocol.Document
	wrote     map[string]time.Time
	// held counts the batches under way per workspace; waiting are clusters to mark when they end.
	held    map[string]int
	waiting map[string]bool
	// leaving are clusters without an entry of a bundle that is being removed, by its uid, that a
	// hold kept until now: their next document removes it.
	leaving map[string]map[string]bool
}

// bundleState is what composing needs of one bundle.
type bundleState struct {
	workspace, name, uid string
	wantsID              string
	wants                Wants
	known                bool // false: the wants could not be read
	removing             bool
	paused               bool
	held                 map[string]bool
	// told says that whoever shows states knows of these wants.
	told bool
}

// ComposerOptions are what a Composer needs beside its client; all are required.
type ComposerOptions struct {
	Store     content.Store
	Reader    *Reader
	Signer    Signer
	Hub       *Hub
	Namespace string
	Clock     clock.PassiveClock
	// Dirty is called for every cluster whose document may have to change, Touched for every bundle
	// whose wants changed and the clusters that concerns, Written for every document stored.
	Dirty   func(cluster string)
	Touched func(bundle string, clusters []string)
	Written func(cluster string)
}

// NewComposer returns a composer that writes with c.
func NewComposer(c client.Client, o ComposerOptions) *Composer {
	return &Composer{
		client: c, store: o.Store, reader: o.Reader, signer: o.Signer, hub: o.Hub, namespace: o.Namespace, clock: o.Clock,
		dirty: o.Dirty, touched: o.Touched, written: o.Written,
		bundles: map[string]*bundleState{}, documents: map[string]*protocol.Document{}, wrote: map[string]time.Time{},
		held: map[string]int{}, waiting: map[string]bool{},
		leaving: map[string]map[string]bool{},
	}
}

// Observe takes over a rollout (and its bundle, nil if that is gone) and marks
// the clusters whose documents it may change.
func (c *Composer) Observe(ctx context.Context, r *v1alpha1.Rollout, b *v1alpha1.Bundle) {
	next := &bundleState{
		workspace: r.Spec.Workspace, name: r.Spec.Bundle, uid: r.Spec.UID,
		wantsID: r.Status.Wants, removing: r.Status.Removing, paused: b != nil && b.Spec.Paused, known: true,
	}
	key := next.workspace + "/" + next.name
	wants, err := c.reader.Wants(ctx, next.workspace, r.Status.Wants)
	if err != nil {
		// Unknown wants change nothing: what was assigned stays assigned.
		klog.FromContext(ctx).Error(err, "wants cannot be read; assignments of this bundle stay as they are", "bundle", key)
		next.known = false
	}
	next.wants = wants
	next.held = map[string]bool{}
	for _, cluster := range wants.HeldClusters {
		next.held[cluster] = true
	}
	c.mu.Lock()
	old := c.bundles[key]
	c.bundles[key] = next
	touched := sortedNames(touchedClusters(old, next))
	if next.removing && len(next.held) > 0 && c.leaving[next.uid] == nil {
		c.leaving[next.uid] = maps.Clone(next.held)
	}
	c.mu.Unlock()
	// Status first: nothing may be called Ready between the new wants and the new document.
	c.touched(key, touched)
	c.mu.Lock()
	next.told = true
	c.mu.Unlock()
	for _, cluster := range touched {
		c.Mark(cluster)
	}
}

// CatchUp takes over a stored rollout that the composer has not seen as it is:
// another process wrote it, or its wants could not be read before.
func (c *Composer) CatchUp(ctx context.Context, r *v1alpha1.Rollout, b *v1alpha1.Bundle) {
	c.mu.Lock()
	seen := c.bundles[r.Spec.Workspace+"/"+r.Spec.Bundle]
	same := seen != nil && seen.known && seen.uid == r.Spec.UID && seen.wantsID == r.Status.Wants &&
		seen.removing == r.Status.Removing && seen.paused == (b != nil && b.Spec.Paused)
	c.mu.Unlock()
	if !same {
		c.Observe(ctx, r, b)
	}
}

func sortedNames(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Load reads every stored document, so that nothing is judged before it is known.
func (c *Composer) Load(ctx context.Context) error {
	var list v1alpha1.AssignmentList
	if err := c.client.List(ctx, &list, client.InNamespace(c.namespace)); err != nil {
		return fmt.Errorf("list assignments: %w", err)
	}
	for i := range list.Items {
		workspace, name := splitMachineName(list.Items[i].Name)
		if _, err := c.previous(ctx, workspace+"/"+name, &list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// Forget drops a bundle whose removal is stored in every assignment.
func (c *Composer) Forget(workspace, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.bundles[workspace+"/"+name]; b != nil {
		delete(c.leaving, b.uid)
	}
	delete(c.bundles, workspace+"/"+name)
}

// composed notes that a cluster's document says what it is to say.
func (c *Composer) composed(cluster string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, clusters := range c.leaving {
		delete(clusters, cluster)
	}
}

func touchedClusters(old, next *bundleState) map[string]bool {
	touched := map[string]bool{}
	all := old == nil || old.uid != next.uid || old.paused != next.paused || old.removing != next.removing || old.known != next.known
	if !all && old.wantsID == next.wantsID {
		return touched
	}
	if all {
		for cluster := range next.held {
			touched[cluster] = true
		}
	}
	for cluster := range next.wants.Clusters {
		if all || !sameWant(old, next, cluster) {
			touched[cluster] = true
		}
	}
	if old != nil {
		for cluster := range old.wants.Clusters {
			if all || !sameWant(old, next, cluster) {
				touched[cluster] = true
			}
		}
		for cluster := range old.held {
			touched[cluster] = touched[cluster] || !next.held[cluster]
		}
	}
	for cluster, yes := range touched {
		if !yes {
			delete(touched, cluster)
		}
	}
	return touched
}

func sameWant(a, b *bundleState, cluster string) bool {
	va, wa, oka := a.wants.VariantOf(cluster)
	vb, wb, okb := b.wants.VariantOf(cluster)
	return oka == okb && va.Content == vb.Content && wa.Generation == wb.Generation && wa.Retain == wb.Retain
}

// Compose writes the document of one cluster if it changed. It returns how
// long to wait before trying again, if that is needed.
func (c *Composer) Compose(ctx context.Context, workspace, name string) (time.Duration, error) {
	cluster := workspace + "/" + name
	if wait := c.mustWait(cluster); wait > 0 {
		return wait, nil
	}
	epoch, wentBack := c.hub.Epoch()
	if wentBack != "" {
		return 0, nil // Approving starts a new epoch and marks every cluster.
	}
	var obj v1alpha1.Cluster
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: workspace, Name: name}, &obj); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	if obj.Status.Identity == nil || obj.Status.Identity.Quarantined != "" || obj.Spec.Paused {
		return 0, nil
	}
	assignment, err := c.assignment(ctx, workspace, name)
	if err != nil {
		return 0, err
	}
	in, err := c.gather(ctx, cluster, &obj, assignment, epoch)
	if errors.Is(err, errHeld) {
		return 0, nil // The release marks it.
	}
	if err != nil {
		return 0, err
	}
	composed, err := Compose(in)
	if err != nil {
		return 0, fmt.Errorf("compose the document of cluster %s: %w", cluster, err)
	}
	if composed.Changed {
		if err := c.write(ctx, cluster, assignment, composed); err != nil {
			return 0, err
		}
	}
	c.composed(cluster)
	return 0, nil
}

func (c *Composer) gather(ctx context.Context, cluster string, obj *v1alpha1.Cluster, a *v1alpha1.Assignment, epoch int64) (ComposeInput, error) {
	in := ComposeInput{
		Hub: c.signer.ID(), Cluster: obj.Status.Identity.UID, Assignment: string(a.UID), Epoch: epoch, Trust: c.signer.Trust(),
		Keys: func(workspace string, id content.ID) ([]content.Key, error) { return c.reader.Keys(ctx, workspace, id) },
	}
	var err error
	if in.Previous, err = c.previous(ctx, cluster, a); err != nil {
		return in, err
	}
	if in.Report, err = c.report(ctx, obj); err != nil {
		return in, err
	}
	in.Wants, err = c.wantsFor(ctx, cluster, in.Previous, in.Report)
	return in, err
}
