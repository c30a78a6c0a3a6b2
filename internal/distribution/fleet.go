package distribution

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
)

// fleet is one workspace's clusters and groups, read once.
type fleet struct {
	clusters []targets.Cluster
	facts    map[string]renderer.Facts // by workspace/name
	groups   *targets.Groups
	exists   map[string]bool
}

func (d *Deployer) gatherFleet(ctx context.Context, workspace string) (*fleet, error) {
	var clusters v1alpha1.ClusterList
	if err := d.Client.List(ctx, &clusters, client.InNamespace(workspace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list clusters of workspace %s: %w", workspace, err)
	}
	var groups v1alpha1.ClusterGroupList
	if err := d.Client.List(ctx, &groups, client.InNamespace(workspace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list cluster groups of workspace %s: %w", workspace, err)
	}
	f := &fleet{facts: map[string]renderer.Facts{}, exists: map[string]bool{}}
	for i := range clusters.Items {
		f.add(&clusters.Items[i])
	}
	var gs []targets.Group
	for i := range groups.Items {
		g := &groups.Items[i]
		gs = append(gs, targets.Group{Workspace: g.Namespace, Name: g.Name, Labels: g.Labels, Selector: &g.Spec})
	}
	f.groups = targets.NewGroups(gs)
	return f, nil
}

func (f *fleet) add(c *v1alpha1.Cluster) {
	key := c.Namespace + "/" + c.Name
	f.exists[key] = true
	// A draining cluster matches nothing, so that everything on it gets a removal.
	if _, draining := c.Annotations[v1alpha1.AnnotationDrain]; draining || !c.DeletionTimestamp.IsZero() {
		return
	}
	f.clusters = append(f.clusters, TargetCluster(c))
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

// TargetCluster is what targeting sees of a Cluster object.
func TargetCluster(c *v1alpha1.Cluster) targets.Cluster {
	out := targets.Cluster{
		Workspace: c.Namespace, Name: c.Name, Labels: c.Labels,
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
