package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// maxRotateBytes bounds a rotate request: a key and its proof.
const maxRotateBytes = 8 << 10

// handleRotate announces the caller's next key. Both are good until the next
// one is used; then the old one may, for 30 days, only announce another: an
// agent that lost its new key to a restored backup comes back by itself.
func (g *Gateway) handleRotate(w http.ResponseWriter, r *http.Request) error {
	c, err := g.authenticate(w, r, maxRotateBytes)
	if err != nil {
		return err
	}
	var req protocol.RotateRequest
	if err := json.Unmarshal(c.body, &req); err != nil || req.Version > protocol.Version {
		return refuse(protocol.CodeInvalid, "", "the request cannot be read")
	}
	next, err := protocol.VerifyNextKey(req, c.identity)
	if err != nil {
		return refuse(protocol.CodeInvalid, "", "the next key does not prove itself for this cluster")
	}
	for _, other := range g.index.find(protocol.KeyID(next)) {
		if other.name != c.name {
			return refuse(protocol.CodeConflict, "make another key", "this key is in use")
		}
	}
	if err := g.announce(r.Context(), c, next); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// announce stores a next key by compare-and-swap.
func (g *Gateway) announce(ctx context.Context, c *caller, next ed25519.PublicKey) error {
	for range maxConflicts {
		var cluster v1alpha1.Cluster
		if err := g.live.Get(ctx, c.name, &cluster); err != nil {
			return broken(fmt.Errorf("get cluster %s: %w", c.name, err))
		}
		m := newMember(&cluster)
		if m == nil || m.object != c.object || m.identity != c.identity {
			return refuse(protocol.CodeRevoked, "join again with a new token", "this cluster was removed")
		}
		// The cache may be behind: what counts is what the key is now.
		key, ok := m.key(c.key.id)
		if !ok {
			return refuse(protocol.CodeUnauthorized, "", "this key was replaced")
		}
		if err := mayCall(&caller{member: m, key: key}, protocol.PathRotate, g.opts.Now()); err != nil {
			return err
		}
		if k, ok := m.key(protocol.KeyID(next)); ok {
			if k.state == keyPrevious {
				return refuse(protocol.CodeInvalid, "make another key", "this key was replaced before")
			}
			return nil // announced already, the answer was lost
		}
		now := metav1.NewTime(g.opts.Now())
		announceKey(cluster.Status.Identity, v1alpha1.AgentKey{
			ID: protocol.KeyID(next), Public: protocol.EncodeKey(next), State: keyNext, Since: &now,
		})
		err := g.cached.Status().Update(ctx, &cluster)
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) {
			return broken(fmt.Errorf("update status of cluster %s: %w", c.name, err))
		}
	}
	return broken(errors.New("announce key: the cluster changed too often meanwhile"))
}
