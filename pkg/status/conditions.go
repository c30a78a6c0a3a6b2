package status

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Verdict is what a Ready condition shall say.
type Verdict struct {
	Ready   bool
	Reason  string
	Message string
}

// Of turns counts into a verdict; what names the things counted ("clusters", "bundles").
func Of(n Counts, what string, examples []string) Verdict {
	if n.AllReady() {
		return Verdict{Ready: true, Reason: v1alpha1.ReasonReady, Message: fmt.Sprintf("%s %s ready", n.Ratio(), what)}
	}
	var parts []string
	for i := len(severity) - 1; i > 0; i-- {
		if c := n.Of(severity[i]); c > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c, severity[i]))
		}
	}
	message := fmt.Sprintf("%s %s ready: %s", n.Ratio(), what, strings.Join(parts, ", "))
	if len(examples) > 0 {
		message += "; " + strings.Join(examples, "; ")
	}
	return Verdict{Reason: string(n.Worst()), Message: clip(message, 1024)}
}

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit-3] + "..."
}

// Examples lists a bundle's clusters that are not Ready, worst first, at most limit.
func (t *Table) Examples(bundle string, limit int) []v1alpha1.ClusterState {
	var out []v1alpha1.ClusterState
	for cluster, c := range t.bundles[bundle] {
		if c.State != protocol.StateReady {
			out = append(out, v1alpha1.ClusterState{Cluster: cluster, State: string(c.State), Message: clip(c.Message, 512), Generation: c.Generation})
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := index(protocol.State(out[i].State)), index(protocol.State(out[j].State))
		if a != b {
			return a > b
		}
		return out[i].Cluster < out[j].Cluster
	})
	if len(out) > limit {
		out = out[:limit]
	}
	return out
}

// Conditions sets Ready, and Reconciling and Stalled while they hold. A
// condition's time changes with its status only.
func Conditions(old []metav1.Condition, generation int64, now time.Time, ready Verdict, reconciling, stalled string) []metav1.Condition {
	out := append([]metav1.Condition(nil), old...)
	set := func(kind string, status metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&out, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message,
			ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
		})
	}
	status := metav1.ConditionFalse
	if ready.Ready {
		status = metav1.ConditionTrue
	}
	set(v1alpha1.ConditionReady, status, ready.Reason, ready.Message)
	for kind, message := range map[string]string{v1alpha1.ConditionReconciling: reconciling, v1alpha1.ConditionStalled: stalled} {
		if message == "" {
			meta.RemoveStatusCondition(&out, kind)
			continue
		}
		set(kind, metav1.ConditionTrue, ready.Reason, clip(message, 1024))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Type < out[j].Type })
	return out
}

// Held sets or removes the condition Held.
func Held(old []metav1.Condition, generation int64, now time.Time, holds []v1alpha1.Hold) []metav1.Condition {
	out := append([]metav1.Condition(nil), old...)
	if len(holds) == 0 {
		meta.RemoveStatusCondition(&out, v1alpha1.ConditionHeld)
		return out
	}
	meta.SetStatusCondition(&out, metav1.Condition{
		Type: v1alpha1.ConditionHeld, Status: metav1.ConditionTrue, Reason: holds[0].Reason, Message: clip(holds[0].Message, 1024),
		ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	})
	sort.Slice(out, func(i, j int) bool { return out[i].Type < out[j].Type })
	return out
}
