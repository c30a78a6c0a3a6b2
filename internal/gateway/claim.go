package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// openClaim marks a key id in status.usedBy whose join is not finished: a
// retry may go on with it. Without the mark the join is done, and if its
// cluster is gone, it was removed on purpose.
const openClaim = "joining:"

// claim stores the use of a token by compare-and-swap.
func (g *Gateway) claim(ctx context.Context, token *v1alpha1.JoinToken, keyID string) (*v1alpha1.JoinToken, error) {
	return g.updateToken(ctx, token, func(t *v1alpha1.JoinToken) (bool, error) {
		return claimUse(t, keyID, g.opts.Now())
	})
}

// claimUse decides whether a key may use a token now, and notes it.
func claimUse(t *v1alpha1.JoinToken, keyID string, now time.Time) (bool, error) {
	const newToken = "make a new one with muster cluster token"
	if !now.Before(t.Spec.Expires.Time) {
		return false, refuse(protocol.CodeExpired, newToken, "the join token expired at %s", t.Spec.Expires.UTC().Format(time.RFC3339))
	}
	if slices.Contains(t.Status.UsedBy, openClaim+keyID) {
		return false, nil
	}
	if slices.Contains(t.Status.UsedBy, keyID) {
		return false, refuse(protocol.CodeUsed, newToken, "the cluster that joined with this token and key was removed")
	}
	if t.Status.Uses >= max(t.Spec.MaxUses, 1) {
		return false, refuse(protocol.CodeUsed, newToken, "the join token was used")
	}
	t.Status.Uses++
	t.Status.UsedBy = append(t.Status.UsedBy, openClaim+keyID)
	return true, nil
}

// closeClaim notes that a join is finished.
func (g *Gateway) closeClaim(ctx context.Context, token *v1alpha1.JoinToken, keyID string) error {
	_, err := g.updateToken(ctx, token, func(t *v1alpha1.JoinToken) (bool, error) {
		i := slices.Index(t.Status.UsedBy, openClaim+keyID)
		if i < 0 {
			return false, nil
		}
		t.Status.UsedBy[i] = keyID
		return true, nil
	})
	return err
}

// updateToken changes a token's status, trying again on what is stored when somebody else changed it.
func (g *Gateway) updateToken(ctx context.Context, token *v1alpha1.JoinToken, change func(*v1alpha1.JoinToken) (bool, error)) (*v1alpha1.JoinToken, error) {
	name := client.ObjectKeyFromObject(token)
	for range 4 * maxConflicts {
		token = token.DeepCopy()
		changed, err := change(token)
		if err != nil || !changed {
			return token, err
		}
		err = g.cached.Status().Update(ctx, token)
		if err == nil {
			return token, nil
		}
		if !apierrors.IsConflict(err) {
			return nil, broken(fmt.Errorf("update join token %s: %w", name, err))
		}
		var now v1alpha1.JoinToken
		if err := g.live.Get(ctx, name, &now); err != nil {
			return nil, broken(fmt.Errorf("get join token %s: %w", name, err))
		}
		token = &now
	}
	return nil, broken(fmt.Errorf("join token %s: %w", name, errBusyToken))
}
