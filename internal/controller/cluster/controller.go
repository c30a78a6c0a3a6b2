package cluster

import (
	"context"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/controller/loop"
	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// workers compose; each cluster is composed by one at a time.
const workers = 8

// Controller runs the composer over a queue of clusters.
type Controller struct {
	client   client.Client
	composer *distribution.Composer
	// refused is told why a cluster could not be composed, nil when it could.
	refused func(cluster string, err error)
	loop    *loop.Loop[string]
}

// New returns a controller; SetComposer before it runs.
func New(c client.Client, refused func(cluster string, err error)) *Controller {
	out := &Controller{client: c, refused: refused}
	out.loop = loop.New("cluster", workers, 20*time.Millisecond, time.Minute, out.reconcile)
	return out
}

// SetComposer breaks the circle between the composer, which marks clusters,
// and this controller, which has it compose them.
func (c *Controller) SetComposer(composer *distribution.Composer) { c.composer = composer }

// Mark asks for a cluster (workspace/name) to be composed.
func (c *Controller) Mark(cluster string) { c.loop.Mark(cluster) }

// Run composes until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx) }

func (c *Controller) reconcile(ctx context.Context, cluster string) (time.Duration, error) {
	workspace, name, _ := strings.Cut(cluster, "/")
	var obj v1alpha1.Cluster
	err := c.client.Get(ctx, client.ObjectKey{Namespace: workspace, Name: name}, &obj)
	if apierrors.IsNotFound(err) {
		c.refused(cluster, nil)
		return 0, c.composer.ForgetCluster(ctx, workspace, name)
	}
	if err != nil {
		return 0, err
	}
	wait, err := c.composer.Compose(ctx, workspace, name)
	c.refused(cluster, err)
	return wait, err
}
