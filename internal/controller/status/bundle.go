package status

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	fold "github.com/muster-dev/muster/pkg/status"
)

// maxListed bounds every list in a status.
const maxListed = 20

func (c *Controller) writeBundle(ctx context.Context, it item, key client.ObjectKey) (time.Duration, error) {
	var b v1alpha1.Bundle
	if err := c.client.Get(ctx, key, &b); err != nil {
		c.still(it)
		return 0, client.IgnoreNotFound(err)
	}
	var r v1alpha1.Rollout
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: distribution.MachineName(key.Namespace, key.Name)}, &r)
	if err != nil && !apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("read Rollout of bundle %s: %w", key, err)
	}
	next, moving := c.bundleStatus(&b, &r)
	if equality.Semantic.DeepEqual(next, b.Status) {
		c.still(it)
		return 0, nil
	}
	if wait := c.mayWrite(it, moving); wait > 0 {
		return wait, nil
	}
	patched := b.DeepCopy()
	patched.Status = next
	if err := c.client.Status().Patch(ctx, patched, client.MergeFrom(&b)); client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("write the status of Bundle %s: %w", key, err)
	}
	c.touchRepo(it.key)
	return 0, nil
}

func (c *Controller) bundleStatus(b *v1alpha1.Bundle, r *v1alpha1.Rollout) (v1alpha1.BundleStatus, bool) {
	key := b.Namespace + "/" + b.Name
	c.mu.Lock()
	counts := c.table.Bundle(key)
	examples := c.table.Examples(key, maxListed)
	refusal := c.refusals[item{kindBundle, key}]
	c.mu.Unlock()
	next := *b.Status.DeepCopy()
	next.ObservedGeneration = r.Status.BundleGeneration
	next.Generation = r.Status.Generation
	next.Summary = counts.Summary()
	next.Display = v1alpha1.Display{ReadyClusters: counts.Ratio(), State: string(counts.Worst())}
	next.NotReady = nilIfEmpty(examples)
	next.Holds = r.Status.Holds
	next.Problems = r.Status.Problems
	if r.Status.BundleGeneration == b.Generation {
		next.Charts = chartsOf(b)
	}
	verdict := bundleVerdict(b, r, counts, examples)
	untold := c.view.Told(key) != r.Status.Wants
	switch {
	case refusal != "":
		verdict = fold.Verdict{Reason: v1alpha1.ReasonInvalidBundle, Message: clip(refusal)}
	case untold && verdict.Ready:
		verdict = fold.Verdict{Reason: v1alpha1.ReasonPending, Message: "not assigned yet"}
	}
	reconciling, stalled := "", ""
	if counts.Moving() {
		reconciling = verdict.Message
	}
	switch verdict.Reason {
	case v1alpha1.ReasonFailed, v1alpha1.ReasonRenderFailed, v1alpha1.ReasonValuesMissing, v1alpha1.ReasonPolicyDenied, v1alpha1.ReasonInvalidBundle:
		stalled = verdict.Message
	}
	now := c.clock.Now()
	next.Conditions = fold.Conditions(next.Conditions, r.Status.BundleGeneration, now, verdict, reconciling, stalled)
	next.Conditions = fold.Held(next.Conditions, r.Status.BundleGeneration, now, r.Status.Holds)
	return next, counts.Moving() || untold || r.Spec.UID != string(b.UID) || r.Status.BundleGeneration != b.Generation
}

func bundleVerdict(b *v1alpha1.Bundle, r *v1alpha1.Rollout, counts fold.Counts, examples []v1alpha1.ClusterState) fold.Verdict {
	switch {
	case r.Spec.UID != string(b.UID):
		return fold.Verdict{Reason: v1alpha1.ReasonPending, Message: "not matched and rendered yet"}
	case r.Status.BundleGeneration != b.Generation:
		return fold.Verdict{Reason: v1alpha1.ReasonPending, Message: "the newest spec is not matched and rendered yet"}
	case r.Status.Removing:
		return fold.Verdict{Reason: v1alpha1.ReasonRemoving, Message: "being removed from its clusters"}
	case len(r.Status.Holds) > 0:
		return fold.Verdict{Reason: r.Status.Holds[0].Reason, Message: r.Status.Holds[0].Message}
	case len(r.Status.Problems) > 0:
		return fold.Verdict{Reason: problemReason(r.Status.Problems[0]), Message: fold.Locate(r.Status.Problems[0])}
	case counts.Total() == 0:
		return fold.Verdict{Ready: true, Reason: v1alpha1.ReasonNoMatch, Message: "no cluster matches the targets"}
	}
	v := fold.Of(counts, "clusters", texts(examples))
	if v.Ready && b.Spec.Paused {
		v.Reason, v.Message = v1alpha1.ReasonPaused, "paused; "+v.Message
	}
	return v
}

// chartsOf are the locks of what is rendered.
func chartsOf(b *v1alpha1.Bundle) []v1alpha1.ChartLock {
	if b.Spec.Source == nil {
		return nil
	}
	return b.Spec.Source.Charts
}

// problemReason is the reason that a problem of some clusters gives the whole.
func problemReason(p v1alpha1.Problem) string {
	switch p.Code {
	case v1alpha1.ReasonValuesMissing, v1alpha1.ReasonPolicyDenied:
		return p.Code
	}
	return v1alpha1.ReasonRenderFailed
}

// clip bounds a condition's message.
func clip(s string) string {
	const limit = 1024
	if len(s) <= limit {
		return s
	}
	return s[:limit-3] + "..."
}

func texts(examples []v1alpha1.ClusterState) []string {
	const few = 3
	var out []string
	for i, e := range examples {
		if i == few {
			break
		}
		text := e.Cluster + " is " + e.State
		if e.Message != "" {
			text = e.Cluster + ": " + e.Message
		}
		out = append(out, text)
	}
	return out
}

func nilIfEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}
