package gateway

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// handleJoin lets an agent join. The token decides workspace, name and labels;
// the agent brings a key and facts. A retry with the same key gets the same answer.
func (g *Gateway) handleJoin(w http.ResponseWriter, r *http.Request) error {
	if !g.joins.Allow() {
		return refuse(protocol.CodeBusy, "", "too many agents join at once").after(jitter(5 * time.Second))
	}
	body, err := readBody(w, r, protocol.MaxJoinBytes)
	if err != nil {
		return err
	}
	sealed, err := protocol.ParseJoin(body)
	if err != nil {
		return refuse(protocol.CodeInvalid, "", "the join request cannot be read")
	}
	token, err := g.joinToken(r.Context(), sealed)
	if err != nil {
		return err
	}
	cluster, err := g.join(r.Context(), token, sealed)
	if err != nil {
		return err
	}
	return g.welcome(w, sealed, cluster)
}

// unknownToken is one answer for a token that does not exist and one whose seed is wrong.
func unknownToken() *refusal {
	return refuse(protocol.CodeUnauthorized, "make one with muster cluster token", "this hub does not know the join token")
}

// joinToken reads the token object live and checks both signatures with it.
func (g *Gateway) joinToken(ctx context.Context, sealed *protocol.SealedJoin) (*v1alpha1.JoinToken, error) {
	var token v1alpha1.JoinToken
	name := client.ObjectKey{Namespace: sealed.Request.Workspace, Name: sealed.Request.Token}
	if !isObjectName(name) {
		return nil, unknownToken()
	}
	err := g.live.Get(ctx, name, &token)
	if apierrors.IsNotFound(err) {
		return nil, unknownToken()
	}
	if err != nil {
		return nil, broken(fmt.Errorf("get join token: %w", err))
	}
	key, err := protocol.ParseKey(token.Spec.PublicKey)
	if err != nil || sealed.Verify(key) != nil {
		return nil, unknownToken()
	}
	return &token, g.checkWorkspace(ctx, token.Namespace)
}

// isObjectName tells whether a name from outside can be one of an object, before it becomes part of a path.
func isObjectName(name client.ObjectKey) bool {
	return len(validation.IsDNS1123Label(name.Namespace)) == 0 && len(validation.IsDNS1123Subdomain(name.Name)) == 0
}

// checkWorkspace refuses tokens in namespaces that no operator made a workspace.
func (g *Gateway) checkWorkspace(ctx context.Context, name string) error {
	var ns corev1.Namespace
	if err := g.live.Get(ctx, client.ObjectKey{Name: name}, &ns); err != nil {
		return broken(fmt.Errorf("get workspace %s: %w", name, err))
	}
	if ns.Labels[v1alpha1.LabelWorkspace] != "true" {
		return refuse(protocol.CodeForbidden, "label it "+v1alpha1.LabelWorkspace+"=true", "namespace %s is not a workspace", name)
	}
	return nil
}

// join finds or makes the cluster that the token lets the key become:
// 1. a key that is in already needs no token any more, only the answer;
// 2. the use is stored first, so that no crash gives one away twice;
// 3. the Cluster and its identity follow, each step the same when repeated;
// 4. the use is closed, so that a cluster removed later cannot come back with it.
func (g *Gateway) join(ctx context.Context, token *v1alpha1.JoinToken, sealed *protocol.SealedJoin) (*v1alpha1.Cluster, error) {
	name := clusterName(token, sealed.Key)
	cluster, err := g.readCluster(ctx, name)
	if err != nil {
		return nil, err
	}
	keyID := protocol.KeyID(sealed.Key)
	if isMember(cluster, sealed.Key) && slices.Contains(token.Status.UsedBy, keyID) {
		return cluster, checkFree(cluster)
	}
	if err := g.checkKeyIsNew(name, sealed.Key); err != nil {
		return nil, err
	}
	// A used token is named as the reason before the name that it took is.
	if _, err := claimUse(token.DeepCopy(), keyID, g.opts.Now()); err != nil {
		return nil, err
	}
	if err := mayTake(cluster, sealed); err != nil {
		return nil, err
	}
	if token, err = g.claim(ctx, token, keyID); err != nil {
		return nil, err
	}
	if cluster, err = g.settle(ctx, name, token, cluster, sealed); err != nil {
		return nil, err
	}
	return cluster, g.closeClaim(ctx, token, keyID)
}

// clusterName is the token's, or one the hub makes from the key: the joiner chooses nothing.
func clusterName(token *v1alpha1.JoinToken, key ed25519.PublicKey) client.ObjectKey {
	name := token.Spec.ClusterName
	if name == "" {
		name = "c-" + protocol.Fingerprint(key)[:12]
	}
	return client.ObjectKey{Namespace: token.Namespace, Name: name}
}

// readCluster returns nil if there is none.
func (g *Gateway) readCluster(ctx context.Context, name client.ObjectKey) (*v1alpha1.Cluster, error) {
	var c v1alpha1.Cluster
	err := g.live.Get(ctx, name, &c)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, broken(fmt.Errorf("get cluster %s: %w", name, err))
	}
	if !c.DeletionTimestamp.IsZero() {
		return nil, refuse(protocol.CodeConflict, "try again when it is gone", "cluster %s is being removed", name.Name)
	}
	return &c, nil
}

// isMember tells whether the cluster knows the key as one that may speak for it.
func isMember(c *v1alpha1.Cluster, key ed25519.PublicKey) bool {
	if c == nil || c.Status.Identity == nil {
		return false
	}
	return slices.ContainsFunc(c.Status.Identity.Keys, func(k v1alpha1.AgentKey) bool {
		return k.Public == protocol.EncodeKey(key) && k.State != keyPrevious
	})
}

func checkFree(c *v1alpha1.Cluster) error {
	if why := c.Status.Identity.Quarantined; why != "" {
		return quarantine(why)
	}
	return nil
}

// checkKeyIsNew refuses a key that another cluster carries: it would be two clusters at once.
func (g *Gateway) checkKeyIsNew(name client.ObjectKey, key ed25519.PublicKey) error {
	for _, m := range g.index.find(protocol.KeyID(key)) {
		if m.name != name {
			return refuse(protocol.CodeConflict, "make another key", "this key belongs to another cluster")
		}
	}
	return nil
}

// mayTake judges whether a key may become an existing cluster: one that nobody
// joined as, one whose old key vouches, or one that an operator reset.
func mayTake(c *v1alpha1.Cluster, sealed *protocol.SealedJoin) error {
	if c == nil || c.Status.Identity == nil || isMember(c, sealed.Key) {
		return nil
	}
	if resetFor(c, protocol.KeyID(sealed.Key)) {
		return nil
	}
	if c.Status.Identity.Quarantined == "" && vouched(c, sealed) {
		return nil
	}
	return refuse(protocol.CodeConflict, "run muster cluster reset "+c.Name,
		"cluster %s joined before and its old key does not vouch for this one", c.Name)
}

// vouched tells whether the old key signed for the new one, on the same cluster.
func vouched(c *v1alpha1.Cluster, sealed *protocol.SealedJoin) bool {
	var old []ed25519.PublicKey
	for _, k := range newMember(c).keys {
		if k.state != keyPrevious {
			old = append(old, k.public)
		}
	}
	return sealed.Request.OldKeySignature != "" &&
		sealed.Request.Facts.KubeSystemUID == c.Status.Identity.KubeSystemUID &&
		protocol.VerifyOldKey(sealed.Request, old...) == nil
}

// welcome sends the signed answer.
func (g *Gateway) welcome(w http.ResponseWriter, sealed *protocol.SealedJoin, c *v1alpha1.Cluster) error {
	answer, err := g.key.welcome(protocol.JoinResponse{
		Version:    protocol.Version,
		Nonce:      sealed.Request.Nonce,
		Workspace:  c.Namespace,
		Cluster:    c.Name,
		ClusterUID: c.Status.Identity.UID,
		KeyID:      protocol.KeyID(sealed.Key),
		Time:       g.opts.Now().Unix(),
	})
	if err != nil {
		return broken(err)
	}
	w.Header().Set("Content-Type", protocol.MediaJOSE)
	w.Header().Set("Cache-Control", "no-store")
	// The agent hung up: it will ask again and hear the same.
	_, _ = w.Write([]byte(answer))
	return nil
}

var errBusyToken = errors.New("the join token changed too often meanwhile")
