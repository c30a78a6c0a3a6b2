package distribution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sort"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
	"github.com/muster-dev/muster/pkg/status"
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

// Hold lets no cluster of some workspaces be composed until release is called,
// so that what changes together is assigned together.
func (c *Composer) Hold(workspaces ...string) (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, workspace := range workspaces {
		c.held[workspace]++
	}
	var once sync.Once
	return func() { once.Do(func() { c.release(workspaces) }) }
}

func (c *Composer) release(workspaces []string) {
	c.mu.Lock()
	for _, workspace := range workspaces {
		if c.held[workspace]--; c.held[workspace] == 0 {
			delete(c.held, workspace)
		}
	}
	var marked []string
	for cluster := range c.waiting {
		if c.held[workspaceOf(cluster)] == 0 {
			marked = append(marked, cluster)
			delete(c.waiting, cluster)
		}
	}
	c.mu.Unlock()
	for _, cluster := range marked {
		c.dirty(cluster)
	}
}

// workspacesOf are the workspaces whose clusters have any of these bundles, and their own.
func (c *Composer) workspacesOf(workspace string, departing []Departing) []string {
	set := map[string]bool{workspace: true}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range departing {
		if b := c.bundles[workspace+"/"+one.Bundle.Name]; b != nil {
			addWorkspaces(set, b.wants)
		}
	}
	return sortedNames(set)
}

// Mark asks for a cluster to be composed, now or when its workspace is released.
func (c *Composer) Mark(cluster string) {
	c.mu.Lock()
	held := c.held[workspaceOf(cluster)] > 0
	if held {
		c.waiting[cluster] = true
	}
	c.mu.Unlock()
	if !held {
		c.dirty(cluster)
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

// Facing returns what a bundle's state on a cluster depends on, as far as the composer knows it.
func (c *Composer) Facing(bundle, cluster string) status.Facing {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := status.Facing{Document: c.documents[cluster]}
	b := c.bundles[bundle]
	if b == nil {
		return f
	}
	w := b.wantOn(cluster)
	f.UID, f.Generation, f.Content = b.uid, w.Generation, string(w.Content)
	f.Wanted, f.Held = w.Verdict == Wanted, w.Verdict == HeldLoss
	return f
}

// Told returns the id of the wants of a bundle whose consequences Touched has
// been told of; "" while that is under way. A rollout with other wants is not
// what any state speaks of yet.
func (c *Composer) Told(bundle string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.bundles[bundle]; b != nil && b.told {
		return b.wantsID
	}
	return ""
}

// BundlesOn lists the bundles (workspace/name) that want a cluster or hold its removal.
func (c *Composer) BundlesOn(cluster string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	on := map[string]bool{}
	for name, b := range c.bundles {
		if v := b.wantOn(cluster).Verdict; v == Wanted || v == HeldLoss {
			on[name] = true
		}
	}
	return sortedNames(on)
}

// Disagreeing lists the bundles (workspace/name) whose content on a cluster was
// rendered with other answers than a cluster with these facts gives, or may have been.
func (c *Composer) Disagreeing(cluster string, facts renderer.Facts) []string {
	disagree := map[string]bool{}
	for name, v := range c.variantsOn(cluster) {
		if v.namedByFacts() || !facts.Agrees(v.Answers) {
			disagree[name] = true
		}
	}
	return sortedNames(disagree)
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

// variantsOn lists what every known bundle wants and is given on a cluster, by workspace/name.
func (c *Composer) variantsOn(cluster string) map[string]Variant {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]Variant{}
	for name, b := range c.bundles {
		if v, _, ok := b.wants.VariantOf(cluster); ok && !b.removing && !b.paused {
			out[name] = v
		}
	}
	return out
}

// highestGeneration is the greatest generation of a bundle that any document carries.
func (c *Composer) highestGeneration(uid string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var highest int64
	for _, d := range c.documents {
		for _, e := range d.Entries {
			if e.UID == uid {
				highest = max(highest, e.Generation)
			}
		}
	}
	return highest
}

// Assigned lists clusters whose stored document still has an entry of the
// bundle, or that are to be told to remove it and were not yet.
func (c *Composer) Assigned(uid string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := sortedNames(c.leaving[uid])
	for cluster, d := range c.documents {
		for _, e := range d.Entries {
			if e.UID == uid {
				out = append(out, cluster)
				break
			}
		}
	}
	return out
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

// mustWait keeps documents MinInterval apart, and held workspaces alone.
func (c *Composer) mustWait(cluster string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[workspaceOf(cluster)] > 0 {
		c.waiting[cluster] = true
		return time.Hour // The release marks it long before.
	}
	if since := c.clock.Since(c.wrote[cluster]); since < MinInterval {
		return MinInterval - since
	}
	return 0
}

// assignment returns the stored Assignment, creating an empty one to learn its uid.
func (c *Composer) assignment(ctx context.Context, workspace, name string) (*v1alpha1.Assignment, error) {
	key := client.ObjectKey{Namespace: c.namespace, Name: MachineName(workspace, name)}
	var a v1alpha1.Assignment
	err := c.client.Get(ctx, key, &a)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read Assignment %s: %w", key, err)
	}
	if newest, ok := c.assignments.Newest(key, &a, err == nil); ok {
		return newest, nil
	}
	created := &v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if err := c.client.Create(ctx, created); err != nil {
		return nil, fmt.Errorf("create Assignment %s: %w", key, err)
	}
	c.assignments.Wrote(created)
	return created, nil
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

func (c *Composer) previous(ctx context.Context, cluster string, a *v1alpha1.Assignment) (*protocol.Document, error) {
	d, err := c.Document(ctx, workspaceOf(cluster), a)
	if err != nil || d == nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.documents[cluster] = d
	return d, nil
}

// Document decodes an Assignment's document with all its entries; nil if it has none yet.
func (c *Composer) Document(ctx context.Context, workspace string, a *v1alpha1.Assignment) (*protocol.Document, error) {
	if a.Spec.Document == "" {
		return nil, nil
	}
	var d protocol.Document
	if err := json.Unmarshal([]byte(a.Spec.Document), &d); err != nil {
		return nil, fmt.Errorf("read the document of Assignment %s: %w", a.Name, err)
	}
	if d.EntriesRef == "" {
		return &d, nil
	}
	data, err := c.store.Get(ctx, workspace, content.ID(d.EntriesRef))
	if err != nil {
		return nil, fmt.Errorf("read the entries of Assignment %s: %w", a.Name, err)
	}
	var list protocol.EntryList
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read the entries of Assignment %s: %w", a.Name, err)
	}
	d.Entries = list.Entries
	return &d, nil
}

func (c *Composer) report(ctx context.Context, obj *v1alpha1.Cluster) (*Acknowledged, error) {
	var r v1alpha1.ClusterReport
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: MachineName(obj.Namespace, obj.Name)}, &r)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the report of cluster %s/%s: %w", obj.Namespace, obj.Name, err)
	}
	return AcknowledgedBy(&r.Spec), nil
}

// AcknowledgedBy reduces a report to what composing needs.
func AcknowledgedBy(r *v1alpha1.ClusterReportSpec) *Acknowledged {
	out := &Acknowledged{Assignment: r.Assignment, Epoch: r.Epoch, Revision: r.Revision, Unsettled: map[string]bool{}, More: r.NotReady > len(r.Bundles)}
	for _, h := range r.Heads {
		workspace, name := splitKey(h.Bundle)
		out.Heads = append(out.Heads, protocol.Head{UID: h.UID, Workspace: workspace, Bundle: name, Generation: h.Generation})
	}
	for _, b := range r.Bundles {
		out.Unsettled[b.UID] = true
	}
	return out
}

// write signs and stores a document. The same bytes are stored and served.
func (c *Composer) write(ctx context.Context, cluster string, a *v1alpha1.Assignment, composed Composed) error {
	d := composed.Document
	stored := d
	if composed.EntryList != nil {
		ref, err := c.storeEntries(ctx, cluster, *composed.EntryList)
		if err != nil {
			return err
		}
		stored.Entries, stored.EntriesRef = []protocol.Entry{}, ref
	}
	next, err := c.signed(a, stored)
	if err != nil {
		return fmt.Errorf("sign the document of cluster %s: %w", cluster, err)
	}
	next.Spec.Bundles = len(d.Entries)
	if err := c.client.Update(ctx, next); err != nil {
		c.assignments.Forget(client.ObjectKeyFromObject(a))
		return fmt.Errorf("write the Assignment of cluster %s: %w", cluster, err)
	}
	c.assignments.Wrote(next)
	c.mu.Lock()
	c.documents[cluster] = &d
	c.wrote[cluster] = c.clock.Now()
	c.mu.Unlock()
	c.written(cluster)
	return nil
}

func (c *Composer) signed(a *v1alpha1.Assignment, d protocol.Document) (*v1alpha1.Assignment, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	signature, err := c.signer.Sign(protocol.Header{
		Hub: d.Hub, Cluster: d.Cluster, Assignment: d.Assignment, Epoch: d.Epoch, Revision: d.Revision,
		Digest: protocol.DigestOf(string(text)),
	})
	if err != nil {
		return nil, err
	}
	next := a.DeepCopy()
	next.Spec = v1alpha1.AssignmentSpec{
		Epoch: d.Epoch, Revision: d.Revision, Removals: len(d.Removals), Document: string(text), Signature: signature,
	}
	return next, nil
}

func (c *Composer) storeEntries(ctx context.Context, cluster string, list protocol.EntryList) (string, error) {
	data, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("encode the entries of cluster %s: %w", cluster, err)
	}
	workspace, name := splitKey(cluster)
	id := content.IDOf(data)
	err = c.store.Put(ctx, content.Pack{Workspace: workspace, Bundle: "entries-of-" + name, Blobs: []content.Blob{{Kind: content.KindEntries, ID: id, Data: data}}})
	return string(id), err
}

// AssignmentGone drops what is remembered of an Assignment that is not stored any more.
func (c *Composer) AssignmentGone(workspace, name string) {
	c.assignments.Forget(client.ObjectKey{Namespace: c.namespace, Name: MachineName(workspace, name)})
}

// ForgetCluster drops what is remembered of a cluster that was deleted, and
// deletes its Assignment and report: it is forgotten and revoked, and nothing
// on it is removed.
func (c *Composer) ForgetCluster(ctx context.Context, workspace, name string) error {
	key := client.ObjectKey{Namespace: c.namespace, Name: MachineName(workspace, name)}
	c.assignments.Forget(key)
	c.mu.Lock()
	delete(c.documents, workspace+"/"+name)
	delete(c.wrote, workspace+"/"+name)
	c.mu.Unlock()
	c.composed(workspace + "/" + name)
	meta := metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	return errors.Join(
		client.IgnoreNotFound(c.client.Delete(ctx, &v1alpha1.Assignment{ObjectMeta: meta})),
		client.IgnoreNotFound(c.client.Delete(ctx, &v1alpha1.ClusterReport{ObjectMeta: meta})),
	)
}
