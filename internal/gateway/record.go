package gateway

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// record changes the gateway's part of a Cluster's status to what is wished
// and tells whether that is worth a write. A write for any reason brings
// lastSeen up to date; lastSeen alone is a reason after every.
func record(c *v1alpha1.Cluster, w wish, now time.Time, every time.Duration) bool {
	before := c.Status.DeepCopy()
	c.Status = *before.DeepCopy()
	if w.connected != nil {
		setConnected(c, *w.connected, now)
	}
	if w.facts != nil {
		c.Status.Facts = w.facts
	}
	if w.quarantine != "" {
		setQuarantined(c, w.quarantine, now)
	}
	if w.promote != "" {
		promoteKey(c.Status.Identity, w.promote, now)
	}
	stale := c.Status.LastSeen == nil || !now.Before(c.Status.LastSeen.Add(every))
	differs := !equality.Semantic.DeepEqual(*before, c.Status)
	if !differs && !(stale && w.connected != nil && *w.connected) {
		return false
	}
	if !w.seen.IsZero() {
		seen := metav1.NewTime(w.seen)
		c.Status.LastSeen = &seen
	}
	return true
}

func setConnected(c *v1alpha1.Cluster, yes bool, now time.Time) {
	cond := metav1.Condition{
		Type: v1alpha1.ConditionConnected, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonConnected,
		Message: "the agent listens to its assignment",
	}
	if !yes {
		cond.Status, cond.Reason = metav1.ConditionFalse, v1alpha1.ReasonDisconnected
		cond.Message = "the agent has no connection; what it runs stays as it is"
	}
	setCondition(c, cond, now)
}

func setQuarantined(c *v1alpha1.Cluster, why string, now time.Time) {
	if c.Status.Identity == nil || c.Status.Identity.Quarantined != "" {
		return
	}
	c.Status.Identity.Quarantined = why
	setCondition(c, metav1.Condition{
		Type: v1alpha1.ConditionJoined, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonDuplicateIdentity,
		Message: why + "; both are frozen, nothing is deleted",
	}, now)
}

func setCondition(c *v1alpha1.Cluster, cond metav1.Condition, now time.Time) {
	cond.ObservedGeneration = c.Generation
	cond.LastTransitionTime = metav1.NewTime(now)
	meta.SetStatusCondition(&c.Status.Conditions, cond)
}

// isAway tells whether a status says that the agent is gone.
func isAway(s v1alpha1.ClusterStatus) bool {
	return meta.IsStatusConditionFalse(s.Conditions, v1alpha1.ConditionConnected)
}

// promoteKey makes an announced key the current one and the current one the
// previous one, which may only announce another.
func promoteKey(id *v1alpha1.ClusterIdentity, keyID string, now time.Time) {
	if id == nil {
		return
	}
	since := metav1.NewTime(now)
	var keys []v1alpha1.AgentKey
	found := false
	for _, k := range id.Keys {
		switch {
		case k.State == keyNext && k.ID == keyID:
			k.State, k.Since, found = keyCurrent, &since, true
			keys = append([]v1alpha1.AgentKey{k}, keys...)
		case k.State == keyCurrent:
			k.State, k.Since = keyPrevious, &since
			keys = append(keys, k)
		}
	}
	if found {
		id.Keys = keys
	}
}

// announceKey adds a next key beside the current one, in place of one announced before.
func announceKey(id *v1alpha1.ClusterIdentity, next v1alpha1.AgentKey) {
	var keys []v1alpha1.AgentKey
	for _, k := range id.Keys {
		if k.State != keyNext {
			keys = append(keys, k)
		}
	}
	id.Keys = append(keys, next)
}
