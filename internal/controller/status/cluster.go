package status

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	fold "github.com/muster-dev/muster/pkg/status"
)

// fieldManager owns the summary, the display and the Ready condition of a
// Cluster; the gateway owns the rest of its status.
const fieldManager = "muster-status"

func (c *Controller) writeCluster(ctx context.Context, it item, key client.ObjectKey) (time.Duration, error) {
	var obj v1alpha1.Cluster
	if err := c.client.Get(ctx, key, &obj); err != nil {
		c.still(it)
		return 0, client.IgnoreNotFound(err)
	}
	c.mu.Lock()
	counts, refusal := c.table.Cluster(it.key), c.refusals[it]
	c.mu.Unlock()
	next := *obj.Status.DeepCopy()
	next.ObservedGeneration = obj.Generation
	next.Summary = counts.Summary()
	next.Display = v1alpha1.Display{ReadyBundles: counts.Ratio(), State: string(counts.Worst())}
	verdict := clusterVerdict(&obj, counts)
	if refusal != "" {
		verdict = fold.Verdict{Reason: "NotAssigned", Message: clip("what runs stays as it is: " + refusal)}
	}
	next.Conditions = fold.Conditions(next.Conditions, obj.Generation, c.clock.Now(), verdict, "", "")
	if sameClusterStatus(next, obj.Status) {
		c.still(it)
		return 0, nil
	}
	if wait := c.mayWrite(it, counts.Moving()); wait > 0 {
		return wait, nil
	}
	return 0, c.applyCluster(ctx, key, next)
}

// sameClusterStatus leaves out the order of conditions, which is that of
// whoever wrote first.
func sameClusterStatus(a, b v1alpha1.ClusterStatus) bool {
	byType := func(x, y metav1.Condition) int { return strings.Compare(x.Type, y.Type) }
	a.Conditions, b.Conditions = slices.Clone(a.Conditions), slices.Clone(b.Conditions)
	slices.SortFunc(a.Conditions, byType)
	slices.SortFunc(b.Conditions, byType)
	return equality.Semantic.DeepEqual(a, b)
}

func clusterVerdict(obj *v1alpha1.Cluster, counts fold.Counts) fold.Verdict {
	identity := obj.Status.Identity
	switch {
	case identity == nil:
		return fold.Verdict{Reason: v1alpha1.ReasonNotJoined, Message: "no agent has joined; make a token with: muster cluster token --name " + obj.Name}
	case identity.Quarantined != "":
		return fold.Verdict{Reason: v1alpha1.ReasonDuplicateIdentity, Message: identity.Quarantined}
	}
	v := fold.Of(counts, "bundles", nil)
	if v.Ready && obj.Spec.Paused {
		v.Reason, v.Message = v1alpha1.ReasonPaused, "paused; "+v.Message
	}
	return v
}

// applyCluster writes the fields this controller owns and no others.
func (c *Controller) applyCluster(ctx context.Context, key client.ObjectKey, next v1alpha1.ClusterStatus) error {
	own := map[string]any{"observedGeneration": next.ObservedGeneration, "summary": next.Summary, "display": next.Display}
	if ready := meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionReady); ready != nil {
		own["conditions"] = []metav1.Condition{*ready}
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "Cluster",
		"metadata": map[string]any{"namespace": key.Namespace, "name": key.Name},
		"status":   own,
	})
	if err != nil {
		return fmt.Errorf("write the status of Cluster %s: %w", key, err)
	}
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(text); err != nil {
		return fmt.Errorf("write the status of Cluster %s: %w", key, err)
	}
	err = c.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(&u), client.FieldOwner(fieldManager), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of Cluster %s: %w", key, err)
	}
	return nil
}
