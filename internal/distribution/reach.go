package distribution

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// Reachable collects every item that something stored still names: wants and
// last good wants of each rollout and what they hold, approved losses, bundle
// inputs, and all that any assignment lists. An error means Unknown: then
// nothing may be swept.
func Reachable(ctx context.Context, c client.Reader, namespace string, reader *Reader, composer *Composer) (ReachSet, error) {
	set := ReachSet{}
	var rollouts v1alpha1.RolloutList
	if err := c.List(ctx, &rollouts, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list rollouts: %w", err)
	}
	for i := range rollouts.Items {
		if err := set.rollout(ctx, reader, &rollouts.Items[i]); err != nil {
			return nil, err
		}
	}
	var bundles v1alpha1.BundleList
	if err := c.List(ctx, &bundles); err != nil {
		return nil, fmt.Errorf("list bundles: %w", err)
	}
	for _, b := range bundles.Items {
		set.add(b.Namespace, b.Spec.Inputs)
	}
	var assignments v1alpha1.AssignmentList
	if err := c.List(ctx, &assignments, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list assignments: %w", err)
	}
	for i := range assignments.Items {
		if err := set.assignment(ctx, composer, &assignments.Items[i]); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// ReachSet holds workspace/id of everything reachable.
type ReachSet map[string]bool

func (s ReachSet) add(workspace, id string) {
	if id != "" {
		s[workspace+"/"+id] = true
	}
}

func (s ReachSet) rollout(ctx context.Context, reader *Reader, r *v1alpha1.Rollout) error {
	for _, id := range []string{r.Status.Wants, r.Status.LastGood} {
		s.add(r.Spec.Workspace, id)
		wants, err := reader.Wants(ctx, r.Spec.Workspace, id)
		if errors.Is(err, content.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		for _, item := range wants.Contents() {
			s.add(r.Spec.Workspace, string(item))
		}
	}
	for _, a := range r.Status.Approved {
		s.add(r.Spec.Workspace, a.Losses)
	}
	return nil
}

func (s ReachSet) assignment(ctx context.Context, composer *Composer, a *v1alpha1.Assignment) error {
	workspace, _ := splitMachineName(a.Name)
	d, err := composer.Document(ctx, workspace, a)
	if err != nil || d == nil {
		return err
	}
	s.add(workspace, d.EntriesRef)
	for _, e := range d.Entries {
		s.add(e.Workspace, e.Content)
	}
	return nil
}

// FollowSources adds what reachable source items are rendered from on their
// clusters. An error means Unknown: then nothing may be swept.
func (s ReachSet) FollowSources(ctx context.Context, reader *Reader, packs []StoredPack) error {
	for _, p := range packs {
		for _, e := range p.Items {
			if e.Kind != content.KindSource || !s.Has(p.Workspace, e.ID) {
				continue
			}
			x, err := reader.index(ctx, p.Workspace, e.ID)
			if err != nil {
				return err
			}
			s.add(p.Workspace, string(x.inputs))
		}
	}
	return nil
}

// Has tells whether an item is reachable.
func (s ReachSet) Has(workspace string, id content.ID) bool { return s[workspace+"/"+string(id)] }
