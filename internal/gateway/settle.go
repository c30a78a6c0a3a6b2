package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// settle makes the Cluster if there is none and gives it the joiner's
// identity. Every write is a compare-and-swap; who loses starts the join again.
func (g *Gateway) settle(ctx context.Context, name client.ObjectKey, token *v1alpha1.JoinToken, c *v1alpha1.Cluster, sealed *protocol.SealedJoin) (*v1alpha1.Cluster, error) {
	if c == nil {
		c = &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Labels: token.Spec.Labels}}
		if err := g.cached.Create(ctx, c); err != nil {
			return nil, lostRace(fmt.Errorf("create cluster %s: %w", name, err))
		}
	}
	keyID := protocol.KeyID(sealed.Key)
	reset := resetFor(c, keyID)
	if reset {
		// Taken before it is used: an operator's reset lets one key in, once.
		c.Annotations[v1alpha1.AnnotationReset] = resetTaken + keyID
		if err := g.cached.Update(ctx, c); err != nil {
			return nil, lostRace(fmt.Errorf("take reset of cluster %s: %w", name, err))
		}
	}
	identify(c, sealed, g.opts.Now())
	if err := g.cached.Status().Update(ctx, c); err != nil {
		return nil, lostRace(fmt.Errorf("store identity of cluster %s: %w", name, err))
	}
	g.sessions.forget(name)
	if !reset {
		return c, nil
	}
	delete(c.Annotations, v1alpha1.AnnotationReset)
	if err := g.cached.Update(ctx, c); err != nil && !apierrors.IsConflict(err) {
		return nil, broken(fmt.Errorf("drop reset of cluster %s: %w", name, err))
	}
	return c, nil
}

// lostRace asks the agent to try again: the next try sees what the other one did.
func lostRace(err error) error {
	if isRace(err) {
		return refuse(protocol.CodeBusy, "", "somebody else changed this cluster at the same time").after(time.Second)
	}
	return broken(err)
}

// resetTaken marks an operator's reset that one key took.
const resetTaken = "taken-by:"

// resetFor tells whether an operator allowed one new join, and nobody or this very key took it.
func resetFor(c *v1alpha1.Cluster, keyID string) bool {
	value := c.Annotations[v1alpha1.AnnotationReset]
	taken, isTaken := strings.CutPrefix(value, resetTaken)
	return value != "" && (!isTaken || taken == keyID)
}

// identify writes the joiner's identity into a Cluster's status. The uid stays
// across rejoins; the cluster's kube-system namespace is pinned anew.
func identify(c *v1alpha1.Cluster, sealed *protocol.SealedJoin, now time.Time) {
	since := metav1.NewTime(now)
	id := &v1alpha1.ClusterIdentity{
		UID:           uuid.NewString(),
		KubeSystemUID: safeText(sealed.Request.Facts.KubeSystemUID, maxFactText),
		Keys: []v1alpha1.AgentKey{{
			ID: protocol.KeyID(sealed.Key), Public: protocol.EncodeKey(sealed.Key), State: keyCurrent, Since: &since,
		}},
	}
	if old := c.Status.Identity; old != nil {
		id.UID = old.UID
	}
	c.Status.Identity = id
	c.Status.Facts = facts(sealed.Request.Facts)
	setCondition(c, metav1.Condition{
		Type: v1alpha1.ConditionJoined, Status: metav1.ConditionTrue, Reason: "Joined", Message: "an agent joined",
	}, now)
}
