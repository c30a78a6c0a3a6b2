package status

import (
	"context"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/controller/loop"
	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	fold "github.com/muster-dev/muster/pkg/status"
)

// Settle is how long a state that moves by itself must last before it is written.
const Settle = 500 * time.Millisecond

// settlePerObject makes objects that move at the same time share a rate of
// writes, 10 a second: a commit that touches 50 bundles is told by their GitRepo
// meanwhile, not by 50 objects that all say Applying.
const settlePerObject = 100 * time.Millisecond

// workers write statuses; each object is written by one at a time.
const workers = 8

// View tells what faces what: the composer.
type View interface {
	Facing(bundle, cluster string) fold.Facing
	BundlesOn(cluster string) []string
	Told(bundle string) string
}

// Controller folds and writes.
type Controller struct {
	client    client.Client
	view      View
	namespace string
	clock     clock.PassiveClock
	loop      *loop.Loop[item]

	mu       sync.Mutex // guards the fields below
	table    *fold.Table
	repos    map[string]string          // bundle -> GitRepo, both workspace/name
	members  map[string]map[string]bool // GitRepo -> bundles
	findings map[string]Finding
	refusals map[item]string    // why a bundle could not be deployed or a cluster not composed
	moving   map[item]time.Time // since when an object's state has been moving, unwritten
}

// item names an object whose status may have to be written.
type item struct{ kind, key string }

// Kinds of items.
const (
	kindBundle  = "bundle"
	kindGitRepo = "gitrepo"
	kindCluster = "cluster"
	kindGroup   = "group"
)

// New returns a controller; SetView before it is told of anything.
func New(c client.Client, namespace string, clk clock.PassiveClock) *Controller {
	out := &Controller{
		client: c, namespace: namespace, clock: clk,
		table:    fold.NewTable(),
		repos:    map[string]string{},
		members:  map[string]map[string]bool{},
		findings: map[string]Finding{},
		refusals: map[item]string{},
		moving:   map[item]time.Time{},
	}
	out.loop = loop.New("status", workers, 50*time.Millisecond, time.Minute, out.write)
	return out
}

// SetView breaks the circle between the composer, which tells of changes, and
// this controller, which asks it about them.
func (c *Controller) SetView(v View) { c.view = v }

// Run writes statuses until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx) }

func (c *Controller) write(ctx context.Context, it item) (time.Duration, error) {
	workspace, name, _ := strings.Cut(it.key, "/")
	key := client.ObjectKey{Namespace: workspace, Name: name}
	switch it.kind {
	case kindBundle:
		return c.writeBundle(ctx, it, key)
	case kindGitRepo:
		return c.writeGitRepo(ctx, it, key)
	case kindGroup:
		return c.writeGroup(ctx, key)
	default:
		return c.writeCluster(ctx, it, key)
	}
}

// Touched folds one bundle's cells on some clusters; no clusters means that
// only the bundle itself may have changed.
func (c *Controller) Touched(bundle string, clusters []string) {
	for _, cluster := range clusters {
		c.fold(bundle, cluster)
	}
	c.loop.Mark(item{kindBundle, bundle})
	c.touchRepo(bundle)
}

// ClusterChanged folds every cell of a cluster: its document, its report or its identity changed.
func (c *Controller) ClusterChanged(cluster string) {
	bundles := map[string]bool{}
	for _, b := range c.view.BundlesOn(cluster) {
		bundles[b] = true
	}
	c.mu.Lock()
	for _, b := range c.table.Bundles(cluster) {
		bundles[b] = true
	}
	c.mu.Unlock()
	for b := range bundles {
		if c.fold(b, cluster) {
			c.loop.Mark(item{kindBundle, b})
			c.touchRepo(b)
		}
	}
	c.loop.Mark(item{kindCluster, cluster})
}

// fold judges one cell and tells whether it changed.
func (c *Controller) fold(bundle, cluster string) bool {
	f := c.view.Facing(bundle, cluster)
	f.Joined, f.Report = c.reported(cluster)
	cell, ok := fold.Judge(f)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		return c.table.Clear(bundle, cluster)
	}
	changed := c.table.Set(bundle, cluster, cell)
	if changed {
		c.loop.Mark(item{kindCluster, cluster})
	}
	return changed
}

// reported reads from the cache what a cluster said last.
func (c *Controller) reported(cluster string) (joined bool, report *v1alpha1.ClusterReportSpec) {
	ctx := context.Background() // Cache reads do not block.
	workspace, name, _ := strings.Cut(cluster, "/")
	var obj v1alpha1.Cluster
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: workspace, Name: name}, &obj); err != nil {
		return false, nil
	}
	var r v1alpha1.ClusterReport
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: distribution.MachineName(workspace, name)}, &r); err != nil {
		return obj.Status.Identity != nil, nil
	}
	return obj.Status.Identity != nil, &r.Spec
}

// BundleBelongs notes which GitRepo a bundle counts for; "" for none.
func (c *Controller) BundleBelongs(bundle, repo string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.repos[bundle]; old != "" && old != repo {
		delete(c.members[old], bundle)
		c.loop.Mark(item{kindGitRepo, old})
	}
	if repo == "" {
		delete(c.repos, bundle)
		return
	}
	if c.repos[bundle] == repo {
		return
	}
	c.repos[bundle] = repo
	if c.members[repo] == nil {
		c.members[repo] = map[string]bool{}
	}
	c.members[repo][bundle] = true
	c.loop.Mark(item{kindGitRepo, repo})
}

// BundleRefused notes why a bundle could not be matched, rendered or stored;
// nil when it could.
func (c *Controller) BundleRefused(bundle string, err error) {
	c.refused(item{kindBundle, bundle}, err)
}

// ClusterRefused notes why a cluster could not be given its newest document;
// nil when it could.
func (c *Controller) ClusterRefused(cluster string, err error) {
	c.refused(item{kindCluster, cluster}, err)
}

func (c *Controller) refused(it item, err error) {
	text := ""
	if err != nil && !apierrors.IsConflict(err) {
		text = err.Error()
	}
	c.mu.Lock()
	same := c.refusals[it] == text
	if text == "" {
		delete(c.refusals, it)
	} else {
		c.refusals[it] = text
	}
	c.mu.Unlock()
	if !same {
		c.loop.Mark(it)
	}
}

// BundleGone drops a deleted bundle; cells of what is still being removed stay
// with their clusters until those are gone too.
func (c *Controller) BundleGone(bundle string) {
	c.BundleBelongs(bundle, "")
	c.mu.Lock()
	clusters := c.table.Clusters(bundle)
	delete(c.refusals, item{kindBundle, bundle})
	c.mu.Unlock()
	for _, cluster := range clusters {
		if c.fold(bundle, cluster) {
			c.loop.Mark(item{kindCluster, cluster})
		}
	}
}

// Resync has an object's status compared again: somebody edited it, or its spec changed.
func (c *Controller) Resync(kind, key string) { c.loop.Mark(item{kind, key}) }

// ResyncBundle and its siblings name the kinds for callers.
func (c *Controller) ResyncBundle(key string) { c.Resync(kindBundle, key) }

// ResyncCluster compares a cluster's status again.
func (c *Controller) ResyncCluster(key string) { c.Resync(kindCluster, key) }

func (c *Controller) touchRepo(bundle string) {
	c.mu.Lock()
	repo := c.repos[bundle]
	c.mu.Unlock()
	if repo != "" {
		c.loop.Mark(item{kindGitRepo, repo})
	}
}

// mayWrite says whether a status is to be written now, or how long to wait: a
// settled one at once, a moving one if it has been moving for its settle.
func (c *Controller) mayWrite(it item, moving bool) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !moving {
		delete(c.moving, it)
		return 0
	}
	since, ok := c.moving[it]
	if !ok {
		c.moving[it] = c.clock.Now()
		return c.settleLocked(it)
	}
	if waited, settle := c.clock.Since(since), c.settleLocked(it); waited < settle {
		return settle - waited
	}
	// The next change begins another settle: one write for each while it moves.
	delete(c.moving, it)
	return 0
}

// settleLocked is how long an object must have been moving to be written so.
func (c *Controller) settleLocked(it item) time.Duration {
	if it.kind == kindGitRepo {
		return Settle
	}
	return max(Settle, time.Duration(len(c.moving))*settlePerObject)
}

// still drops the memory of an object that needs no write.
func (c *Controller) still(it item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.moving, it)
}
