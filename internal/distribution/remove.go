package distribution

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// Departing is a bundle that shall go, and who approved what.
type Departing struct {
	Bundle *v1alpha1.Bundle
	// OwnAct says that a person deleted it: only counts guard it.
	OwnAct bool
	// Approve is the hold id a person released, on the bundle or on its GitRepo.
	Approve, By, Reason string
}

// Remove lets bundles of one workspace go, as one unit: a loss above the
// guards is held and the bundle stays as it is; otherwise no cluster wants it
// any more, from the next document on. It returns the holds by bundle key.
func (d *Deployer) Remove(ctx context.Context, workspace string, departing []Departing) (map[string]v1alpha1.Hold, error) {
	holds := map[string]v1alpha1.Hold{}
	if len(departing) == 0 {
		return holds, nil
	}
	var desired []Desired
	for _, one := range departing {
		desired = append(desired, Desired{Bundle: one.Bundle})
	}
	defer d.locks.lockAll(desired)()
	defer d.Composer.Hold(d.Composer.workspacesOf(workspace, departing)...)()
	// Bundles that only wait for documents are looked at often and need no fleet.
	fleet := sync.OnceValues(func() (*fleet, error) { return d.gatherFleet(ctx, workspace) })
	var errs []error
	for _, one := range departing {
		hold, err := d.removeOne(ctx, fleet, one)
		errs = append(errs, err)
		if hold != nil {
			holds[workspace+"/"+one.Bundle.Name] = *hold
		}
	}
	return holds, errors.Join(errs...)
}

func (d *Deployer) removeOne(ctx context.Context, gather func() (*fleet, error), one Departing) (*v1alpha1.Hold, error) {
	r, err := d.rollout(ctx, one.Bundle.Namespace, one.Bundle.Name)
	if err != nil {
		return nil, err
	}
	if r == nil || r.Status.Removing {
		return nil, d.deleteBundle(ctx, one.Bundle)
	}
	f, err := gather()
	if err != nil {
		return nil, err
	}
	wants, err := d.wantsAndHeld(ctx, one.Bundle.Namespace, r)
	if err != nil {
		return nil, err
	}
	key := one.Bundle.Namespace + "/" + one.Bundle.Name
	others := d.ownersBeside(key, nil, nil)
	loss, err := measureLoss(lossInput{
		Before: wants, Deleted: true, Forgets: one.Bundle.Spec.KeepResources != nil && *one.Bundle.Spec.KeepResources,
		Objects: func(v Variant) (index, error) { return d.Reader.index(ctx, one.Bundle.Namespace, v.Content) },
		Gone:    func(cluster string) bool { return f.gone(ctx, cluster) },
		OwnedElsewhere: func(cluster string, k content.Key) (bool, error) {
			return others.want(ctx, cluster, k)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("weigh what deleting bundle %s would lose: %w", key, err)
	}
	sets, err := d.approvedSets(ctx, one.Bundle.Namespace, r.Status.Approved)
	if err != nil {
		return nil, err
	}
	guarded, err := Guard(GuardInput{
		Bundle: "bundle/" + one.Bundle.Name, Loss: loss, OwnAct: one.OwnAct, Held: r.Status.Holds, Approved: r.Status.Approved, ApprovedSets: sets,
		Approve: one.Approve, By: one.By, Reason: one.Reason, Now: d.now(),
	})
	if err != nil {
		return nil, err
	}
	next := r.DeepCopy()
	if guarded.Hold != nil {
		next.Status.Holds = []v1alpha1.Hold{*guarded.Hold}
		next.Status.Held = len(wants.Clusters)
		return guarded.Hold, d.updateRollout(ctx, r, next, one.Bundle)
	}
	next.Status.Approved = guarded.Approved
	next.Status.Holds, next.Status.Held, next.Status.Removing = nil, 0, true
	if err := d.updateRollout(ctx, r, next, one.Bundle); err != nil {
		return nil, err
	}
	return nil, d.deleteBundle(ctx, one.Bundle)
}

// wantsAndHeld is all that clusters have of a bundle: what is wanted, and on
// clusters that a hold keeps what was wanted there last.
func (d *Deployer) wantsAndHeld(ctx context.Context, workspace string, r *v1alpha1.Rollout) (Wants, error) {
	wants, err := d.Reader.Wants(ctx, workspace, r.Status.Wants)
	if err != nil || len(wants.HeldClusters) == 0 {
		return wants, err
	}
	before, err := d.Reader.Wants(ctx, workspace, r.Status.LastGood)
	if err != nil {
		return Wants{}, err
	}
	b := newWantsBuilder()
	for name := range wants.Clusters {
		v, want, _ := wants.VariantOf(name)
		b.set(name, v, want)
	}
	for _, name := range wants.HeldClusters {
		if v, want, ok := before.VariantOf(name); ok {
			b.set(name, v, want)
		}
	}
	return b.build(), nil
}

func (d *Deployer) updateRollout(ctx context.Context, old, next *v1alpha1.Rollout, b *v1alpha1.Bundle) error {
	if !equality.Semantic.DeepEqual(old.Status, next.Status) {
		if err := d.Client.Update(ctx, next); err != nil {
			d.rollouts.Forget(keyOf(next))
			return fmt.Errorf("update Rollout %s: %w", next.Name, err)
		}
		d.rollouts.Wrote(next)
	}
	d.Composer.Observe(ctx, next, b)
	return nil
}

func (d *Deployer) deleteBundle(ctx context.Context, b *v1alpha1.Bundle) error {
	if !b.DeletionTimestamp.IsZero() {
		return nil
	}
	if err := d.Client.Delete(ctx, b, client.Preconditions{UID: &b.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Bundle %s/%s: %w", b.Namespace, b.Name, err)
	}
	return nil
}

// Finish releases a deleted bundle once its removal is stored in every
// assignment that had it. It returns the clusters still to be written.
func (d *Deployer) Finish(ctx context.Context, b *v1alpha1.Bundle) ([]string, error) {
	r, err := d.rollout(ctx, b.Namespace, b.Name)
	if err != nil {
		return nil, err
	}
	if r != nil && r.Spec.UID == string(b.UID) {
		if !r.Status.Removing {
			return nil, nil
		}
		if waiting := d.Composer.Assigned(string(b.UID)); len(waiting) > 0 {
			return waiting, nil
		}
	}
	// The Rollout first: a Bundle without one is released by the next look, a Rollout without one by nobody.
	if r != nil && r.Spec.UID == string(b.UID) {
		if err := d.Client.Delete(ctx, r); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("delete Rollout %s: %w", r.Name, err)
		}
	}
	next := b.DeepCopy()
	if controllerutil.RemoveFinalizer(next, v1alpha1.Finalizer) {
		if err := d.Client.Update(ctx, next); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("release Bundle %s/%s: %w", b.Namespace, b.Name, err)
		}
	}
	d.Forget(b.Namespace, b.Name)
	d.Composer.Forget(b.Namespace, b.Name)
	return nil, nil
}

// RolloutGone drops what is remembered of a Rollout that is not stored any more.
func (d *Deployer) RolloutGone(workspace, name string) {
	d.rollouts.Forget(client.ObjectKey{Namespace: d.Namespace, Name: MachineName(workspace, name)})
}

// Forget drops what is remembered of a bundle that was deleted.
func (d *Deployer) Forget(workspace, name string) {
	d.HubObjects.use(workspace+"/"+name, nil)
	d.retries.forget(workspace + "/" + name)
	d.bundles.Forget(client.ObjectKey{Namespace: workspace, Name: name})
	d.rollouts.Forget(client.ObjectKey{Namespace: d.Namespace, Name: MachineName(workspace, name)})
}
