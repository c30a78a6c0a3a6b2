package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The hub key's Secret, made by the manager when it first starts.
const (
	hubKeySecret  = "muster-hub-key"
	hubKeyCurrent = "current"
)

// tokenLife is how long a join token of the lab is good for.
const tokenLife = time.Hour

// awaitHubKey returns the fingerprint of the hub key, the trust anchor of every
// token, once the manager has made it.
func awaitHubKey(ctx context.Context, hub client.Client) (string, error) {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: ManagerNamespace, Name: hubKeySecret}
	for {
		err := hub.Get(ctx, key, &secret)
		if err == nil {
			seed, err := protocol.ParseSeed(string(secret.Data[hubKeyCurrent]))
			if err != nil {
				return "", fmt.Errorf("read the hub key: %w", err)
			}
			return protocol.Fingerprint(protocol.Public(seed)), nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("await the hub key: %w", errors.Join(context.Cause(ctx), err))
		case <-time.After(pollInterval):
		}
	}
}

// MakeToken makes a join token for one cluster name and returns its text, as
// `muster cluster token` does.
func MakeToken(ctx context.Context, hub client.Client, gateway, workspace, cluster string) (string, error) {
	fingerprint, err := awaitHubKey(ctx, hub)
	if err != nil {
		return "", err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make join token: %w", err)
	}
	object := &v1alpha1.JoinToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: workspace, GenerateName: cluster + "-"},
		Spec: v1alpha1.JoinTokenSpec{
			PublicKey: protocol.EncodeKey(public), ClusterName: cluster,
			Expires: metav1.NewTime(time.Now().Add(tokenLife)), MaxUses: 1,
		},
	}
	if err := hub.Create(ctx, object); err != nil {
		return "", fmt.Errorf("make join token for %s: %w", cluster, err)
	}
	return protocol.Token{
		Version: protocol.Version, Workspace: workspace, Name: object.Name,
		Seed: protocol.EncodeSeed(private), Hub: gateway, HubKey: fingerprint,
	}.Encode()
}
