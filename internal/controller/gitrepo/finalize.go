package gitrepo

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// goneAgain is how soon a deleted GitRepo whose bundles are being removed is
// looked at again; a look costs no request.
const goneAgain = 300 * time.Millisecond

// finalize removes a deleted GitRepo's bundles, through the guards, and lets
// the GitRepo go when they are.
func (c *Controller) finalize(ctx context.Context, g *v1alpha1.GitRepo) (time.Duration, error) {
	if !controllerutil.ContainsFinalizer(g, v1alpha1.Finalizer) {
		return 0, nil
	}
	key := g.Namespace + "/" + g.Name
	own, err := c.bundlesOf(ctx, g)
	if err != nil {
		return 0, err
	}
	if len(own) == 0 {
		patched := g.DeepCopy()
		controllerutil.RemoveFinalizer(patched, v1alpha1.Finalizer)
		if err := c.client.Patch(ctx, patched, client.MergeFrom(g)); client.IgnoreNotFound(err) != nil {
			return 0, fmt.Errorf("release GitRepo %s: %w", key, err)
		}
		return 0, nil
	}
	var staying []v1alpha1.Bundle
	for _, b := range own {
		if b.DeletionTimestamp.IsZero() {
			staying = append(staying, b)
		}
	}
	holds, err := c.remove(ctx, g, staying, true)
	if err != nil {
		return 0, err
	}
	r := c.repo(key, func(*repo) {})
	r.finding.Generation, r.finding.Holds = g.Generation, holds
	c.status.Found(key, r.finding)
	if len(holds) > 0 {
		return 0, nil // The approval is an edit, which wakes this up.
	}
	return goneAgain, nil
}
