package manager

import (
	"context"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	crcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// watched lists the kinds the controllers follow.
func watched() []client.Object {
	return []client.Object{
		&v1alpha1.GitRepo{}, &v1alpha1.Bundle{}, &v1alpha1.Cluster{}, &v1alpha1.ClusterGroup{},
		&v1alpha1.BundleNamespaceMapping{}, &v1alpha1.Policy{}, &v1alpha1.Rollout{}, &v1alpha1.Assignment{}, &v1alpha1.ClusterReport{}, &corev1.ConfigMap{}, &corev1.Secret{}, &corev1.Namespace{},
	}
}

func (l *leader) informers(ctx context.Context) (map[string]crcache.Informer, error) {
	out := map[string]crcache.Informer{}
	for _, obj := range watched() {
		informer, err := l.manager.GetCache().GetInformer(ctx, obj)
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", obj, err)
		}
		out[fmt.Sprintf("%T", obj)] = informer
	}
	return out, nil
}

// handle turns events into marks. A handler only marks; what it finds then is
// read from the cache, so that no event carries meaning.
func (l *leader) handle(ctx context.Context, informers map[string]crcache.Informer) error {
	handlers := map[string]cache.ResourceEventHandler{
		"*v1alpha1.GitRepo": on(
			func(g *v1alpha1.GitRepo) { l.repos.Mark(key(g)) },
			func(old, g *v1alpha1.GitRepo) {
				if old.Generation != g.Generation || !maps.Equal(old.Annotations, g.Annotations) || !g.DeletionTimestamp.IsZero() {
					l.repos.Mark(key(g))
				}
				if old.Annotations[v1alpha1.AnnotationApprove] != g.Annotations[v1alpha1.AnnotationApprove] {
					l.repos.Ask(key(g))
				}
			},
			func(g *v1alpha1.GitRepo) { l.repos.Mark(key(g)) }),
		"*v1alpha1.Bundle": on(
			func(b *v1alpha1.Bundle) { l.bundleAdded(ctx, b) },
			func(old, b *v1alpha1.Bundle) { l.bundleChanged(ctx, old, b) },
			l.bundleGone),
		"*v1alpha1.BundleNamespaceMapping": on(
			func(m *v1alpha1.BundleNamespaceMapping) { l.touch.scope(ctx, m.Namespace) },
			func(_, m *v1alpha1.BundleNamespaceMapping) { l.touch.scope(ctx, m.Namespace) },
			func(m *v1alpha1.BundleNamespaceMapping) { l.touch.scope(ctx, m.Namespace) }),
		"*v1alpha1.Policy": on(
			func(p *v1alpha1.Policy) { l.touch.scope(ctx, p.Namespace) },
			func(_, p *v1alpha1.Policy) { l.touch.scope(ctx, p.Namespace) },
			func(p *v1alpha1.Policy) { l.touch.scope(ctx, p.Namespace) }),
		"*v1.Namespace": on(
			func(ns *corev1.Namespace) { l.touch.workspace(ns.Name, nil, ns.Labels) },
			func(old, ns *corev1.Namespace) { l.touch.workspace(ns.Name, old.Labels, ns.Labels) },
			func(ns *corev1.Namespace) { l.touch.workspace(ns.Name, ns.Labels, nil) }),
		"*v1alpha1.Cluster": on(
			func(c *v1alpha1.Cluster) { l.clusterChanged(ctx, nil, c) },
			func(old, c *v1alpha1.Cluster) { l.clusterChanged(ctx, old, c) },
			func(c *v1alpha1.Cluster) {
				l.clusters.Mark(key(c))
				l.touch.cluster(ctx, c, nil)
			}),
		"*v1alpha1.ClusterGroup": on(
			func(g *v1alpha1.ClusterGroup) { l.touch.group(ctx, g) },
			func(old, g *v1alpha1.ClusterGroup) {
				if old.Generation != g.Generation || !maps.Equal(old.Labels, g.Labels) {
					l.touch.group(ctx, g)
				}
			},
			func(g *v1alpha1.ClusterGroup) { l.touch.group(ctx, g) }),
		"*v1alpha1.Rollout": on(
			func(r *v1alpha1.Rollout) { l.bundles.Mark(r.Spec.Workspace + "/" + r.Spec.Bundle) },
			func(_, r *v1alpha1.Rollout) { l.status.ResyncBundle(r.Spec.Workspace + "/" + r.Spec.Bundle) },
			func(r *v1alpha1.Rollout) {
				l.deployer.RolloutGone(r.Spec.Workspace, r.Spec.Bundle)
				l.bundles.Mark(r.Spec.Workspace + "/" + r.Spec.Bundle)
			}),
		"*v1alpha1.Assignment": on(
			func(a *v1alpha1.Assignment) { l.machineChanged(a) }, nil,
			func(a *v1alpha1.Assignment) {
				workspace, name, _ := strings.Cut(clusterOf(a.Name), "/")
				l.composer.AssignmentGone(workspace, name)
				l.machineChanged(a)
			}),
		"*v1alpha1.ClusterReport": on(
			func(r *v1alpha1.ClusterReport) { l.reported(r) },
			func(_, r *v1alpha1.ClusterReport) { l.reported(r) },
			func(r *v1alpha1.ClusterReport) { l.reported(r) }),
		"*v1.ConfigMap": on(
			func(cm *corev1.ConfigMap) { l.observeHub(ctx, cm) },
			func(_, cm *corev1.ConfigMap) { l.observeHub(ctx, cm) }, nil),
	}
	for kind, handler := range handlers {
		if _, err := informers[kind].AddEventHandler(handler); err != nil {
			return fmt.Errorf("follow %s: %w", kind, err)
		}
	}
	return nil
}

func key(o client.Object) string { return o.GetNamespace() + "/" + o.GetName() }

// on makes a handler of typed functions, any of which may be nil.
func on[T any](added func(T), changed func(old, now T), gone func(T)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if o, ok := obj.(T); ok && added != nil {
				added(o)
			}
		},
		UpdateFunc: func(old, now any) {
			o, ok1 := old.(T)
			n, ok2 := now.(T)
			if ok1 && ok2 && changed != nil {
				changed(o, n)
			}
		},
		DeleteFunc: func(obj any) {
			if d, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = d.Obj
			}
			if o, ok := obj.(T); ok && gone != nil {
				gone(o)
			}
		},
	}
}

func (l *leader) bundleAdded(ctx context.Context, b *v1alpha1.Bundle) {
	repo := ""
	if b.Spec.Source != nil {
		repo = b.Namespace + "/" + b.Spec.Source.GitRepo
	}
	l.status.BundleBelongs(key(b), repo)
	l.touch.bundle(ctx, b)
	l.bundles.Mark(key(b))
	l.status.ResyncBundle(key(b))
}

func (l *leader) bundleChanged(ctx context.Context, old, b *v1alpha1.Bundle) {
	l.status.ResyncBundle(key(b))
	if old.Generation == b.Generation && maps.Equal(old.Labels, b.Labels) && maps.Equal(old.Annotations, b.Annotations) && old.DeletionTimestamp.Equal(b.DeletionTimestamp) {
		return
	}
	l.touch.bundle(ctx, b)
	l.bundles.Mark(key(b))
	approved := old.Annotations[v1alpha1.AnnotationApprove] != b.Annotations[v1alpha1.AnnotationApprove]
	if approved && b.Spec.Source != nil {
		l.repos.Ask(b.Namespace + "/" + b.Spec.Source.GitRepo)
	}
}

func (l *leader) bundleGone(b *v1alpha1.Bundle) {
	l.touch.drop(b)
	l.bundles.Mark(key(b))
	l.status.BundleGone(key(b))
	if b.Spec.Source != nil {
		l.repos.Mark(b.Namespace + "/" + b.Spec.Source.GitRepo)
	}
}

// clusterChanged separates what matters: labels and facts re-match, identity
// and pause re-compose, everything may change the status.
func (l *leader) clusterChanged(ctx context.Context, old, c *v1alpha1.Cluster) {
	l.status.ResyncCluster(key(c))
	if old == nil || old.Spec.Paused != c.Spec.Paused || identityOf(old) != identityOf(c) {
		l.composer.Mark(key(c))
		l.status.ClusterChanged(key(c))
	}
	if old == nil || !maps.Equal(old.Labels, c.Labels) || !maps.Equal(old.Annotations, c.Annotations) ||
		old.Generation != c.Generation || !sameFacts(old.Status.Facts, c.Status.Facts) || !old.DeletionTimestamp.Equal(c.DeletionTimestamp) {
		l.touch.cluster(ctx, old, c)
	}
}

func identityOf(c *v1alpha1.Cluster) string {
	if c.Status.Identity == nil {
		return ""
	}
	return c.Status.Identity.UID + "/" + c.Status.Identity.Quarantined
}

// machineChanged looks at the cluster of an Assignment that appeared or vanished.
func (l *leader) machineChanged(a *v1alpha1.Assignment) {
	l.composer.Mark(clusterOf(a.Name))
}

func (l *leader) reported(r *v1alpha1.ClusterReport) {
	l.status.ClusterChanged(clusterOf(r.Name))
	l.composer.Mark(clusterOf(r.Name))
}
