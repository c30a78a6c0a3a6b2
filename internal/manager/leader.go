package manager

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	bundlecontroller "github.com/muster-dev/muster/internal/controller/bundle"
	clustercontroller "github.com/muster-dev/muster/internal/controller/cluster"
	"github.com/muster-dev/muster/internal/controller/gitrepo"
	statuscontroller "github.com/muster-dev/muster/internal/controller/status"
	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// leader runs the controllers on the replica that leads.
type leader struct {
	manager   manager.Manager
	client    client.Client
	hub       *hub
	namespace string
	// checkEvery is how often values on the hub are looked at.
	checkEvery time.Duration

	hooks    *gitrepo.Hooks
	repos    *gitrepo.Controller
	bundles  *bundlecontroller.Controller
	clusters *clustercontroller.Controller
	status   *statuscontroller.Controller
	composer *distribution.Composer
	deployer *distribution.Deployer
	reader   *distribution.Reader
	touch    *touch
	leading  atomic.Bool
}

func newLeader(mgr manager.Manager, h *hub, signer distribution.Signer, o Options) *leader {
	c := mgr.GetClient()
	l := &leader{manager: mgr, client: c, hub: h, namespace: o.Namespace, checkEvery: cmp.Or(o.CheckEvery, DefaultCheckEvery), hooks: gitrepo.NewHooks()}
	l.reader = distribution.NewReader(h.store)
	l.status = statuscontroller.New(c, o.Namespace, h.clock)
	l.clusters = clustercontroller.New(c, l.status.ClusterRefused)
	l.composer = distribution.NewComposer(c, distribution.ComposerOptions{
		Store: h.store, Reader: l.reader, Signer: signer, Hub: h.hub, Namespace: o.Namespace, Clock: h.clock,
		Dirty: l.clusters.Mark, Touched: l.status.Touched, Written: l.status.ClusterChanged,
	})
	l.clusters.SetComposer(l.composer)
	l.status.SetView(l.composer)
	l.deployer = &distribution.Deployer{
		Client: c, Store: h.store, Reader: l.reader, Render: h.pool.Render, Composer: l.composer, Namespace: o.Namespace, Clock: h.clock,
		HubObjects: distribution.NewHubObjects(mgr.GetAPIReader(), h.clock),
	}
	l.repos = gitrepo.New(c, gitrepo.Options{
		Live: mgr.GetAPIReader(), Mirrors: h.mirrors, Deployer: l.deployer, Status: l.status, Hooks: l.hooks, Clock: h.clock,
		Charts: charts.New(charts.Options{CacheDir: filepath.Join(o.DataDir, "charts")}),
	})
	l.bundles = bundlecontroller.New(c, l.deployer, l.repos.Reread, l.status.BundleRefused)
	l.touch = newTouch(c, l)
	return l
}

// NeedLeaderElection makes the manager start this on one replica only.
func (l *leader) NeedLeaderElection() bool { return true }

// Start learns everything that is stored, and only then lets controllers act:
// what is not known yet must not look absent.
func (l *leader) Start(ctx context.Context) error {
	// Informers first, so that reads below are complete and later changes are seen.
	informers, err := l.informers(ctx)
	if err != nil {
		return err
	}
	if !l.manager.GetCache().WaitForCacheSync(ctx) {
		return ctx.Err()
	}
	if err := l.hub.store.Refresh(ctx); err != nil {
		return err
	}
	if err := l.composer.Load(ctx); err != nil {
		return err
	}
	if err := l.observeAll(ctx); err != nil {
		return err
	}
	if err := l.handle(ctx, informers); err != nil {
		return err
	}
	l.leading.Store(true)
	defer l.leading.Store(false)
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{l.repos.Run, l.bundles.Run, l.clusters.Run, l.status.Run, l.sweep, l.checkHubObjects} {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}

// observeAll tells the composer of every stored rollout before it composes anything.
func (l *leader) observeAll(ctx context.Context) error {
	var rollouts v1alpha1.RolloutList
	if err := l.client.List(ctx, &rollouts, client.InNamespace(l.namespace)); err != nil {
		return fmt.Errorf("list rollouts: %w", err)
	}
	for i := range rollouts.Items {
		l.observe(ctx, &rollouts.Items[i])
	}
	return nil
}

func (l *leader) observe(ctx context.Context, r *v1alpha1.Rollout) {
	var b v1alpha1.Bundle
	bundle := &b
	if err := l.client.Get(ctx, client.ObjectKey{Namespace: r.Spec.Workspace, Name: r.Spec.Bundle}, &b); err != nil {
		bundle = nil // Gone, or not read: the rollout says by itself what is wanted.
	}
	l.composer.Observe(ctx, r, bundle)
}

// checkHubObjects has bundles looked at whose values on the hub changed.
func (l *leader) checkHubObjects(ctx context.Context) error {
	ticker := time.NewTicker(l.checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		changed, err := l.deployer.HubObjects.Check(ctx)
		if err != nil {
			klog.FromContext(ctx).Error(err, "some values on the hub not looked at; what they were counts until they are")
		}
		for _, bundle := range changed {
			l.bundles.Mark(bundle)
		}
	}
}

// sweepEvery is how often unreachable content is looked for.
const sweepEvery = 10 * time.Minute

// sweep deletes content that nothing has reached for distribution.Grace.
func (l *leader) sweep(ctx context.Context) error {
	var sweeper distribution.Sweeper
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := l.sweepOnce(ctx, &sweeper); err != nil {
			klog.FromContext(ctx).Error(err, "content not swept; nothing is lost by that")
		}
	}
}

func (l *leader) sweepOnce(ctx context.Context, sweeper *distribution.Sweeper) error {
	reachable, err := distribution.Reachable(ctx, l.client, l.namespace, l.reader, l.composer)
	if err != nil {
		return err
	}
	packs := l.hub.store.PackItems()
	if err := reachable.FollowSources(ctx, l.reader, packs); err != nil {
		return err
	}
	for _, pack := range sweeper.Sweep(l.hub.clock.Now(), packs, reachable.Has) {
		if err := l.hub.store.Delete(ctx, pack); err != nil {
			return err
		}
	}
	return nil
}

// observeHub acts on approvals of a hub that went back, and has everything composed again.
func (l *leader) observeHub(ctx context.Context, cm *corev1.ConfigMap) {
	before, held := l.hub.hub.Epoch()
	if err := l.hub.hub.Observe(ctx, l.hub.clock.Now(), cm); err != nil {
		klog.FromContext(ctx).Error(err, "hub state not taken over")
		return
	}
	after, holds := l.hub.hub.Epoch()
	if after == before && held == holds {
		return
	}
	var clusters v1alpha1.ClusterList
	if err := l.client.List(ctx, &clusters); err != nil {
		klog.FromContext(ctx).Error(err, "clusters not composed anew after the hub's state changed")
		return
	}
	for _, c := range clusters.Items {
		l.composer.Mark(c.Namespace + "/" + c.Name)
	}
}
