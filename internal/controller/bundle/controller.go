package bundle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/controller/loop"
	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// workers deploy; each bundle is worked on by one at a time.
const workers = 4

// finishAgain is how soon a bundle that waits for documents is looked at
// again: a look costs no request.
const finishAgain = 200 * time.Millisecond

// Controller redeploys stored bundles.
type Controller struct {
	client   client.Client
	deployer *distribution.Deployer
	// reread asks the GitRepo of a bundle whose files are not on the hub to read them again.
	reread func(gitRepo string)
	// refused is told why a bundle could not be deployed, or nil when it could.
	refused func(bundle string, err error)
	loop    *loop.Loop[string]
}

// New returns a controller.
func New(c client.Client, d *distribution.Deployer, reread func(gitRepo string), refused func(bundle string, err error)) *Controller {
	out := &Controller{client: c, deployer: d, reread: reread, refused: refused}
	out.loop = loop.New("bundle", workers, 100*time.Millisecond, 5*time.Minute, out.reconcile)
	return out
}

// Mark asks for a bundle (workspace/name) to be looked at.
func (c *Controller) Mark(bundle string) { c.loop.Mark(bundle) }

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx) }

func (c *Controller) reconcile(ctx context.Context, key string) (time.Duration, error) {
	workspace, name, _ := strings.Cut(key, "/")
	var b v1alpha1.Bundle
	err := c.client.Get(ctx, client.ObjectKey{Namespace: workspace, Name: name}, &b)
	if apierrors.IsNotFound(err) {
		c.deployer.Forget(workspace, name)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !b.DeletionTimestamp.IsZero() {
		return c.remove(ctx, &b)
	}
	if err := c.deploy(ctx, &b); err != nil {
		return 0, err
	}
	return c.deployer.Again(key), nil
}

// deploy brings a stored bundle up to date. What changes here is a label, a
// group or the object itself: a person's own act.
func (c *Controller) deploy(ctx context.Context, b *v1alpha1.Bundle) error {
	desired := distribution.Desired{Bundle: b.DeepCopy(), OwnAct: true}
	failed := c.deployer.Deploy(ctx, b.Namespace, []distribution.Desired{desired})
	err := failed[desired.Key()]
	c.refused(desired.Key(), err)
	if errors.Is(err, content.ErrNotFound) && b.Spec.Source != nil {
		c.reread(b.Namespace + "/" + b.Spec.Source.GitRepo)
	}
	return err
}

// remove lets a deleted bundle go, through the guards, and releases it when
// that is stored in every document.
func (c *Controller) remove(ctx context.Context, b *v1alpha1.Bundle) (time.Duration, error) {
	holds, err := c.deployer.Remove(ctx, b.Namespace, []distribution.Departing{{
		Bundle: b, OwnAct: true,
		Approve: b.Annotations[v1alpha1.AnnotationApprove], By: b.Annotations[v1alpha1.AnnotationApprovedBy],
		Reason: b.Annotations[v1alpha1.AnnotationApproveReason],
	}})
	if err != nil {
		return 0, fmt.Errorf("remove bundle %s/%s: %w", b.Namespace, b.Name, err)
	}
	if len(holds) > 0 {
		return 0, nil // The approval is an edit of the Bundle, which wakes this up.
	}
	waiting, err := c.deployer.Finish(ctx, b)
	if err != nil || len(waiting) == 0 {
		return 0, err
	}
	return finishAgain, nil
}
