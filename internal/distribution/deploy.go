package distribution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// Deployer carries bundles from what is wanted to stored wants: match, render,
// plan, guard, then write content first and pointers last, so that any prefix
// of its writes is valid.
type Deployer struct {
	Client    client.Client
	Store     content.Store
	Reader    *Reader
	Render    renderer.Renderer
	Composer  *Composer
	Namespace string
	Clock     clock.PassiveClock
	// HubObjects are the ConfigMaps and Secrets on the hub that bundles name.
	HubObjects *HubObjects

	bundles  Latest[*v1alpha1.Bundle]
	rollouts Latest[*v1alpha1.Rollout]
	locks    keyedLocks
	factBook factBook
	retries  retries
}

// Desired is a bundle as it shall be.
type Desired struct {
	// Bundle with name, labels and spec.
	Bundle *v1alpha1.Bundle
	// Inputs as just read; nil means those stored.
	Inputs *Inputs
	// OwnAct says that a person edited an object or a label: only counts guard it.
	OwnAct bool
}

// Key is workspace/name.
func (d Desired) Key() string { return d.Bundle.Namespace + "/" + d.Bundle.Name }

// ErrNotOurs says that a Bundle of that name belongs to somebody else.
var ErrNotOurs = errors.New("a Bundle of that name exists and was not read from this GitRepo")

// parallelRenders bounds renders under way at once; the pool bounds the children.
const parallelRenders = 4

// Deploy brings a set of bundles of one workspace to what is desired, as one
// unit: losses are judged against what all of them want, and clusters see one
// document. An error belongs to its bundle, by key; the others proceed.
func (d *Deployer) Deploy(ctx context.Context, workspace string, desired []Desired) map[string]error {
	failed, release := d.DeployHeld(ctx, workspace, desired)
	release()
	return failed
}

// DeployHeld is Deploy, but no cluster that the bundles reach is given a document
// until release is called: what leaves with the same commit is removed first,
// so that a rename reaches a cluster in one document.
func (d *Deployer) DeployHeld(ctx context.Context, workspace string, desired []Desired) (failed map[string]error, release func()) {
	failed = map[string]error{}
	unlock := d.locks.lockAll(desired)
	defer unlock()
	// Gather: the fleet once, then each bundle's ledger.
	fleet, err := d.gatherFleet(ctx, workspace)
	if err != nil {
		for _, one := range desired {
			failed[one.Key()] = err
		}
		return failed, func() {}
	}
	works := d.prepareAll(ctx, fleet, desired, failed)
	// Decide: what each wants, then what the change as a whole would lose.
	d.renderAll(ctx, works, failed)
	for _, w := range works {
		if failed[w.key()] == nil {
			if err := d.decide(ctx, fleet, w, d.ownersBeside(w.key(), works, failed)); err != nil {
				failed[w.key()] = err
			}
		}
	}
	// Commit: content, Bundle, Rollout, each only if it differs.
	// Clusters wait for that, and not for a slow render of somebody's bundle.
	release = d.Composer.Hold(reached(workspace, works)...)
	d.commitAll(ctx, works, failed)
	return failed, release
}

// reached are the workspaces whose clusters a change concerns: the bundles' own,
// and those that a mapping brings or brought them to.
func reached(workspace string, works []*work) []string {
	set := map[string]bool{workspace: true}
	for _, w := range works {
		for _, o := range w.outcomes {
			set[workspaceOf(o.Cluster)] = true
		}
		addWorkspaces(set, w.previous)
	}
	return sortedNames(set)
}

func addWorkspaces(set map[string]bool, w Wants) {
	for cluster := range w.Clusters {
		set[workspaceOf(cluster)] = true
	}
	for _, cluster := range w.HeldClusters {
		set[workspaceOf(cluster)] = true
	}
}

func (d *Deployer) prepareAll(ctx context.Context, fleet *fleet, desired []Desired, failed map[string]error) []*work {
	var works []*work
	for _, one := range desired {
		w, err := d.prepare(ctx, fleet, one)
		if err != nil {
			failed[one.Key()] = err
			continue
		}
		if w != nil {
			works = append(works, w)
		}
	}
	return works
}

func (d *Deployer) renderAll(ctx context.Context, works []*work, failed map[string]error) {
	var group errgroup.Group
	group.SetLimit(parallelRenders)
	errs := make([]error, len(works))
	for i, w := range works {
		group.Go(func() error {
			errs[i] = d.renderWork(ctx, w)
			return nil
		})
	}
	_ = group.Wait() // Errors are kept per bundle, in errs.
	for i, err := range errs {
		if err != nil {
			failed[works[i].key()] = err
		}
	}
}

// commit writes content first, then the Bundle, then the Rollout that points to both.
func (d *Deployer) commit(ctx context.Context, w *work) error {
	if len(w.blobs) > 0 {
		pack := content.Pack{Workspace: w.desired.Bundle.Namespace, Bundle: w.desired.Bundle.Name, Blobs: w.blobs}
		if err := d.Store.Put(ctx, pack); err != nil {
			return err
		}
	}
	if err := d.commitBundle(ctx, w); err != nil {
		return err
	}
	if err := d.commitRollout(ctx, w); err != nil {
		return err
	}
	d.retries.note(w.key(), d.now(), w.outcomes)
	d.Composer.Observe(ctx, w.rollout, w.bundle)
	return nil
}

func (d *Deployer) commitRollout(ctx context.Context, w *work) error {
	spec := v1alpha1.RolloutSpec{Workspace: w.bundle.Namespace, Bundle: w.bundle.Name, UID: string(w.bundle.UID)}
	w.status.BundleGeneration = w.bundle.Generation
	if w.rollout == nil {
		r := &v1alpha1.Rollout{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: MachineName(w.bundle.Namespace, w.bundle.Name)},
			Spec:       spec, Status: w.status,
		}
		if err := d.Client.Create(ctx, r); err != nil {
			return fmt.Errorf("create Rollout of bundle %s: %w", w.key(), err)
		}
		d.rollouts.Wrote(r)
		w.rollout = r
		return nil
	}
	r := w.rollout.DeepCopy()
	r.Spec, r.Status = spec, w.status
	if equality.Semantic.DeepEqual(r.Spec, w.rollout.Spec) && equality.Semantic.DeepEqual(r.Status, w.rollout.Status) {
		return nil
	}
	if err := d.Client.Update(ctx, r); err != nil {
		d.rollouts.Forget(client.ObjectKeyFromObject(r))
		return fmt.Errorf("update Rollout of bundle %s: %w", w.key(), err)
	}
	d.rollouts.Wrote(r)
	w.rollout = r
	return nil
}

// MachineName names the machine's objects of a workspace's object.
func MachineName(workspace, name string) string { return workspace + "." + name }

func (d *Deployer) bundle(ctx context.Context, key client.ObjectKey) (*v1alpha1.Bundle, error) {
	var b v1alpha1.Bundle
	err := d.Client.Get(ctx, key, &b)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read Bundle %s: %w", key, err)
	}
	newest, ok := d.bundles.Newest(key, &b, err == nil)
	if !ok {
		return nil, nil
	}
	return newest, nil
}

func (d *Deployer) rollout(ctx context.Context, workspace, name string) (*v1alpha1.Rollout, error) {
	key := client.ObjectKey{Namespace: d.Namespace, Name: MachineName(workspace, name)}
	var r v1alpha1.Rollout
	err := d.Client.Get(ctx, key, &r)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read Rollout %s: %w", key, err)
	}
	newest, ok := d.rollouts.Newest(key, &r, err == nil)
	if !ok {
		return nil, nil
	}
	return newest, nil
}

// ready tells whether all clusters run what the rollout wants and nothing waits.
func ready(b *v1alpha1.Bundle, r *v1alpha1.Rollout) bool {
	if b == nil || len(r.Status.Holds) > 0 || b.Status.Generation != r.Status.Generation {
		return false
	}
	return meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionReady)
}

func (d *Deployer) now() time.Time { return d.Clock.Now() }
