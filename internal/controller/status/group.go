package status

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	fold "github.com/muster-dev/muster/pkg/status"
)

// GroupsChanged counts the clusters of a workspace's groups again.
func (c *Controller) GroupsChanged(ctx context.Context, workspace string) {
	var groups v1alpha1.ClusterGroupList
	if err := c.client.List(ctx, &groups, client.InNamespace(workspace), client.UnsafeDisableDeepCopy); err != nil {
		return // A cache that is not there yet tells of every group when it is.
	}
	for i := range groups.Items {
		c.loop.Mark(item{kindGroup, workspace + "/" + groups.Items[i].Name})
	}
}

func (c *Controller) writeGroup(ctx context.Context, key client.ObjectKey) (time.Duration, error) {
	var g v1alpha1.ClusterGroup
	if err := c.client.Get(ctx, key, &g); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	next := *g.Status.DeepCopy()
	next.ObservedGeneration = g.Generation
	count, err := c.countGroup(ctx, &g)
	verdict := fold.Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: fmt.Sprintf("matches %d clusters", count)}
	if err != nil {
		verdict = fold.Verdict{Reason: "InvalidSelector", Message: err.Error()}
	}
	next.ClusterCount = count
	next.Conditions = fold.Conditions(next.Conditions, g.Generation, c.clock.Now(), verdict, "", "")
	if equality.Semantic.DeepEqual(next, g.Status) {
		return 0, nil
	}
	patched := g.DeepCopy()
	patched.Status = next
	if err := c.client.Status().Patch(ctx, patched, client.MergeFrom(&g)); client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("write the status of ClusterGroup %s: %w", key, err)
	}
	return 0, nil
}

// countGroup counts a group's clusters. A group without a selector has none.
func (c *Controller) countGroup(ctx context.Context, g *v1alpha1.ClusterGroup) (int, error) {
	if g.Spec.Selector == nil {
		return 0, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(g.Spec.Selector)
	if err != nil {
		return 0, fmt.Errorf("spec.selector: %w", err)
	}
	var clusters v1alpha1.ClusterList
	if err := c.client.List(ctx, &clusters, client.InNamespace(g.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list clusters: %w", err)
	}
	count := 0
	for i := range clusters.Items {
		if selector.Matches(labels.Set(clusters.Items[i].Labels)) {
			count++
		}
	}
	return count, nil
}
