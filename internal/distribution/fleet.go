package distribution

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
)

// fleet is what the bundles of one workspace may match, read once.
type fleet struct {
	workspace string
	clusters  []targets.Cluster
	facts     map[string]renderer.Facts // by workspace/name
	classes   map[string]int            // of those facts, see factBook
	groups    *targets.Groups
	exists    map[string]bool
	scope     Scope
	client    client.Client
}

// Scope is what targeting asks beside a bundle and a cluster: the mappings and
// policies of the bundle's workspace.
type Scope struct {
	Mappings []targets.Mapping
	Policies []targets.Policy
}

// ScopeOf reads a workspace's mappings and policies.
func ScopeOf(ctx context.Context, c client.Reader, workspace string) (Scope, error) {
	var mappings v1alpha1.BundleNamespaceMappingList
	if err := c.List(ctx, &mappings, client.InNamespace(workspace)); err != nil {
		return Scope{}, fmt.Errorf("list namespace mappings of workspace %s: %w", workspace, err)
	}
	var policies v1alpha1.PolicyList
	if err := c.List(ctx, &policies, client.InNamespace(workspace)); err != nil {
		return Scope{}, fmt.Errorf("list policies of workspace %s: %w", workspace, err)
	}
	var s Scope
	for i := range mappings.Items {
		s.Mappings = append(s.Mappings, targets.MappingOf(&mappings.Items[i]))
	}
	for i := range policies.Items {
		s.Policies = append(s.Policies, targets.PolicyOf(&policies.Items[i]))
	}
	return s, nil
}

// Input is what targeting sees of a bundle.
func (s Scope) Input(b *v1alpha1.Bundle) targets.Input {
	return targets.Input{
		Workspace: b.Namespace, Name: b.Name, BundleLabels: b.Labels, Spec: b.Spec, HandMade: b.Spec.Source == nil,
		Mappings: s.Mappings, Policies: s.Policies,
	}
}

// gatherFleet reads the clusters and groups of a workspace, and of all others if
// a mapping may bring its bundles there.
func (d *Deployer) gatherFleet(ctx context.Context, workspace string) (*fleet, error) {
	f := &fleet{workspace: workspace, facts: map[string]renderer.Facts{}, classes: map[string]int{}, exists: map[string]bool{}, client: d.Client}
	var err error
	if f.scope, err = ScopeOf(ctx, d.Client, workspace); err != nil {
		return nil, err
	}
	options := []client.ListOption{client.UnsafeDisableDeepCopy}
	labels := map[string]map[string]string{}
	if len(f.scope.Mappings) == 0 {
		options = append(options, client.InNamespace(workspace))
	} else if labels, err = workspaceLabels(ctx, d.Client); err != nil {
		return nil, err
	}
	var clusters v1alpha1.ClusterList
	if err := d.Client.List(ctx, &clusters, options...); err != nil {
		return nil, fmt.Errorf("list clusters that bundles of workspace %s may match: %w", workspace, err)
	}
	var groups v1alpha1.ClusterGroupList
	if err := d.Client.List(ctx, &groups, options...); err != nil {
		return nil, fmt.Errorf("list cluster groups that bundles of workspace %s may name: %w", workspace, err)
	}
	for i := range clusters.Items {
		f.add(&clusters.Items[i], labels[clusters.Items[i].Namespace])
	}
	for cluster, facts := range f.facts {
		f.classes[cluster] = d.factBook.class(cluster, facts)
	}
	var gs []targets.Group
	for i := range groups.Items {
		g := &groups.Items[i]
		gs = append(gs, targets.Group{Workspace: g.Namespace, Name: g.Name, Labels: g.Labels, Selector: &g.Spec})
	}
	f.groups = targets.NewGroups(gs)
	return f, nil
}

// workspaceLabels are the labels of every namespace.
func workspaceLabels(ctx context.Context, c client.Reader) (map[string]map[string]string, error) {
	var namespaces corev1.NamespaceList
	if err := c.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	labels := make(map[string]map[string]string, len(namespaces.Items))
	for i := range namespaces.Items {
		labels[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	return labels, nil
}

// gone tells whether a cluster does not exist. Of another workspace, where a
// mapping brought a bundle once, only its absence from the cache says so.
func (f *fleet) gone(ctx context.Context, cluster string) bool {
	workspace, name := splitKey(cluster)
	if workspace == f.workspace || f.exists[cluster] {
		return !f.exists[cluster]
	}
	var c v1alpha1.Cluster
	return apierrors.IsNotFound(f.client.Get(ctx, client.ObjectKey{Namespace: workspace, Name: name}, &c))
}

func (f *fleet) add(c *v1alpha1.Cluster, workspaceLabels map[string]string) {
	key := c.Namespace + "/" + c.Name
	f.exists[key] = true
	// A draining cluster matches nothing, so that everything on it gets a removal.
	if _, draining := c.Annotations[v1alpha1.AnnotationDrain]; draining || !c.DeletionTimestamp.IsZero() {
		return
	}
	f.clusters = append(f.clusters, TargetCluster(c, workspaceLabels))
	f.facts[key] = FactsOf(c)
}

// FactsOf is what a render may ask about a cluster.
func FactsOf(c *v1alpha1.Cluster) renderer.Facts {
	facts := renderer.Facts{Labels: c.Labels}
	if c.Status.Facts != nil {
		facts.KubeVersion, facts.APIVersions = c.Status.Facts.KubernetesVersion, c.Status.Facts.APIVersions
	}
	return facts
}

// TargetCluster is what targeting sees of a Cluster object and of the labels of its namespace.
func TargetCluster(c *v1alpha1.Cluster, workspaceLabels map[string]string) targets.Cluster {
	out := targets.Cluster{
		Workspace: c.Namespace, WorkspaceLabels: workspaceLabels, Name: c.Name, Labels: c.Labels,
		Annotations: plainAnnotations(c.Annotations), Paused: c.Spec.Paused,
	}
	if len(c.Spec.TemplateValues) > 0 {
		// Values that came through the API server are JSON; they marshal.
		if data, err := json.Marshal(c.Spec.TemplateValues); err == nil {
			out.TemplateValues = data
		}
	}
	return out
}

// plainAnnotations leaves out those that steer Muster itself: writing one must not re-render anything.
func plainAnnotations(in map[string]string) map[string]string {
	var out map[string]string
	for k, v := range in {
		if strings.HasPrefix(k, v1alpha1.Group+"/") || k == "kubectl.kubernetes.io/last-applied-configuration" {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = v
	}
	return out
}
