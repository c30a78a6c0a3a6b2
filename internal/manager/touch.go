package manager

import (
	"context"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
)

// touch finds the bundles that a change of a cluster or group concerns, so
// that a label moved on one cluster re-evaluates only what it touches.
type touch struct {
	client client.Client
	leader *leader

	mu    sync.Mutex // guards index
	index *targets.Index
}

func newTouch(c client.Client, l *leader) *touch {
	return &touch{client: c, leader: l, index: targets.NewIndex()}
}

// bundle notes whom a bundle targets. One whose targets do not compile is
// touched by nothing: its own error says so when it is deployed.
func (t *touch) bundle(ctx context.Context, b *v1alpha1.Bundle) {
	scope, err := distribution.ScopeOf(ctx, t.client, b.Namespace)
	if err != nil {
		klog.FromContext(ctx).Error(err, "mappings and policies not read from the cache", "workspace", b.Namespace)
	}
	compiled, err := targets.Compile(scope.Input(b))
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.index.Delete(key(b))
		return
	}
	t.index.Set(key(b), compiled)
}

// scope marks every bundle of a workspace: a mapping or a policy of it changed.
func (t *touch) scope(ctx context.Context, workspace string) {
	var bundles v1alpha1.BundleList
	if err := t.client.List(ctx, &bundles, client.InNamespace(workspace), client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(ctx).Error(err, "bundles not matched anew after a mapping or policy changed", "workspace", workspace)
	}
	for i := range bundles.Items {
		t.bundle(ctx, &bundles.Items[i])
		t.leader.bundles.Mark(key(&bundles.Items[i]))
	}
}

// workspace marks the bundles of other workspaces that a namespace's labels let in or shut out.
func (t *touch) workspace(name string, before, after map[string]string) {
	t.mu.Lock()
	touched := t.index.WorkspaceChanged(name, before, after)
	t.mu.Unlock()
	for _, b := range touched {
		t.leader.bundles.Mark(b)
	}
}

func (t *touch) labels(ctx context.Context, workspace string) map[string]string {
	var ns corev1.Namespace
	if err := t.client.Get(ctx, client.ObjectKey{Name: workspace}, &ns); err != nil {
		return nil // Its own bundles need no label; others are marked when it is there.
	}
	return ns.Labels
}

func (t *touch) drop(b *v1alpha1.Bundle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.index.Delete(key(b))
}

// cluster marks the bundles that a change from old to now concerns; nil means
// that the cluster is not there.
func (t *touch) cluster(ctx context.Context, old, now *v1alpha1.Cluster) {
	workspace := ""
	var before, after targets.Cluster
	if old != nil {
		workspace, before = old.Namespace, distribution.TargetCluster(old, t.labels(ctx, old.Namespace))
	}
	if now != nil {
		workspace, after = now.Namespace, distribution.TargetCluster(now, t.labels(ctx, now.Namespace))
	}
	// A cluster that comes, goes or drains concerns everything that may match it.
	whole := old == nil || now == nil || draining(old) != draining(now)
	t.mu.Lock()
	var touched []string
	if whole {
		touched = t.index.InWorkspace(workspace)
	} else {
		touched = t.index.ClusterChanged(before, after, t.groups(ctx, workspace))
	}
	t.mu.Unlock()
	if !whole {
		// Charts may ask for facts, and for labels that no target names; one that does not render may with others.
		touched = append(touched, t.leader.composer.Disagreeing(key(now), distribution.FactsOf(now))...)
		touched = append(touched, t.troubled(ctx, workspace)...)
	}
	for _, b := range touched {
		t.leader.bundles.Mark(b)
	}
	t.leader.status.GroupsChanged(ctx, workspace)
}

// troubled are the bundles that a workspace's clusters may match and that do not render everywhere.
func (t *touch) troubled(ctx context.Context, workspace string) []string {
	var rollouts v1alpha1.RolloutList
	if err := t.client.List(ctx, &rollouts, client.InNamespace(t.leader.namespace), client.UnsafeDisableDeepCopy); err != nil {
		klog.FromContext(ctx).Error(err, "rollouts not read from the cache", "workspace", workspace)
	}
	t.mu.Lock()
	reaching := t.index.InWorkspace(workspace)
	t.mu.Unlock()
	var out []string
	for i := range rollouts.Items {
		r := &rollouts.Items[i]
		name := r.Spec.Workspace + "/" + r.Spec.Bundle
		if _, reaches := slices.BinarySearch(reaching, name); reaches && len(r.Status.Problems) > 0 {
			out = append(out, name)
		}
	}
	return out
}

func draining(c *v1alpha1.Cluster) bool {
	_, drain := c.Annotations[v1alpha1.AnnotationDrain]
	return drain || !c.DeletionTimestamp.IsZero()
}

func sameFacts(a, b *v1alpha1.ClusterFacts) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.KubernetesVersion == b.KubernetesVersion && slices.Equal(a.APIVersions, b.APIVersions)
}

func (t *touch) groups(ctx context.Context, workspace string) *targets.Groups {
	var list v1alpha1.ClusterGroupList
	if err := t.client.List(ctx, &list, client.InNamespace(workspace)); err != nil {
		klog.FromContext(ctx).Error(err, "cluster groups not read from the cache", "workspace", workspace)
	}
	var gs []targets.Group
	for i := range list.Items {
		g := &list.Items[i]
		gs = append(gs, targets.Group{Workspace: g.Namespace, Name: g.Name, Labels: g.Labels, Selector: &g.Spec})
	}
	return targets.NewGroups(gs)
}

// group marks the bundles that may be concerned by a group's change.
func (t *touch) group(ctx context.Context, g *v1alpha1.ClusterGroup) {
	t.leader.status.GroupsChanged(ctx, g.Namespace)
	t.mu.Lock()
	touched := t.index.GroupChanged(g.Namespace, g.Name)
	t.mu.Unlock()
	for _, b := range touched {
		t.leader.bundles.Mark(b)
	}
}

// clusterOf names the cluster (workspace/name) of a machine's object.
func clusterOf(machine string) string {
	workspace, name, _ := strings.Cut(machine, ".")
	return workspace + "/" + name
}
