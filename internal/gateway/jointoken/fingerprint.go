package jointoken

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/muster-dev/muster/pkg/protocol"
)

// HubKeySecret is the Secret of the manager's namespace that holds the hub's
// keys, and hubKeyCurrent its entry with the current one's seed.
const (
	HubKeySecret  = "muster-hub-key"
	hubKeyCurrent = "current"
)

// Fingerprint returns the fingerprint of the hub key that Secret HubKeySecret
// holds: the trust anchor of a join token.
func Fingerprint(secret *corev1.Secret) (string, error) {
	key, err := protocol.ParseSeed(string(secret.Data[hubKeyCurrent]))
	if err != nil {
		return "", fmt.Errorf("read Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return protocol.Fingerprint(protocol.Public(key)), nil
}
