package gateway

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/protocol"
)

// HubKeySecret is the Secret of the manager's namespace that holds the hub's keys.
const HubKeySecret = "muster-hub-key"

// The entries of the Secret.
const (
	hubKeyID       = "id"           // the hub id, never changes
	hubKeyCurrent  = "current"      // seed, base64
	hubKeyNext     = "next"         // seed, base64
	hubKeyRecovery = "recovery-pub" // public half only; the private one was printed once
	hubKeyCAs      = "ca-hashes"    // optional, one per line, set by operators
	hubKeyRecover  = "recovered"    // optional, the recovery key's word for the keys above
)

// HubKey signs documents and join answers. All replicas share it.
type HubKey struct {
	id            string
	current, next ed25519.PrivateKey
	trust         protocol.TrustSet
	recovery      string
	recovered     string
	now           func() time.Time
}

// LoadOrCreate reads the hub's keys or makes them. Replicas that start
// together agree because creating the Secret succeeds once. The client should
// not cache: one Secret is not worth a watch on all of them.
func LoadOrCreate(ctx context.Context, c client.Client, namespace string) (*HubKey, error) {
	var secret corev1.Secret
	name := client.ObjectKey{Namespace: namespace, Name: HubKeySecret}
	err := c.Get(ctx, name, &secret)
	if err == nil {
		return readHubKey(secret)
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get Secret %s: %w", name, err)
	}
	made, recovery, err := newHubKey(namespace)
	if err != nil {
		return nil, err
	}
	switch err := c.Create(ctx, made); {
	case apierrors.IsAlreadyExists(err):
		if err := c.Get(ctx, name, &secret); err != nil {
			return nil, fmt.Errorf("get Secret %s: %w", name, err)
		}
		return readHubKey(secret)
	case err != nil:
		return nil, fmt.Errorf("create Secret %s: %w", name, err)
	}
	key, err := readHubKey(*made)
	if err != nil {
		return nil, err
	}
	key.recovery = protocol.EncodeSeed(recovery)
	return key, nil
}

func newHubKey(namespace string) (*corev1.Secret, ed25519.PrivateKey, error) {
	var keys [3]ed25519.PrivateKey
	for i := range keys {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, nil, fmt.Errorf("make hub key: %w", err)
		}
		keys[i] = key
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: HubKeySecret},
		Type:       corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			hubKeyID:       []byte(uuid.NewString()),
			hubKeyCurrent:  []byte(protocol.EncodeSeed(keys[0])),
			hubKeyNext:     []byte(protocol.EncodeSeed(keys[1])),
			hubKeyRecovery: []byte(protocol.EncodeKey(protocol.Public(keys[2]))),
		},
	}
	return secret, keys[2], nil
}

func readHubKey(secret corev1.Secret) (*HubKey, error) {
	k := &HubKey{id: string(secret.Data[hubKeyID]), recovered: string(secret.Data[hubKeyRecover]), now: time.Now}
	if k.id == "" {
		return nil, fmt.Errorf("read Secret %s: it has no %s", secret.Name, hubKeyID)
	}
	var err error
	if k.current, err = protocol.ParseSeed(string(secret.Data[hubKeyCurrent])); err != nil {
		return nil, fmt.Errorf("read Secret %s, entry %s: %w", secret.Name, hubKeyCurrent, err)
	}
	if k.next, err = protocol.ParseSeed(string(secret.Data[hubKeyNext])); err != nil {
		return nil, fmt.Errorf("read Secret %s, entry %s: %w", secret.Name, hubKeyNext, err)
	}
	recovery, err := protocol.ParseKey(string(secret.Data[hubKeyRecovery]))
	if err != nil {
		return nil, fmt.Errorf("read Secret %s, entry %s: %w", secret.Name, hubKeyRecovery, err)
	}
	k.trust = protocol.TrustSet{
		HubKeys:         []string{protocol.EncodeKey(protocol.Public(k.current)), protocol.EncodeKey(protocol.Public(k.next))},
		CAHashes:        strings.Fields(string(secret.Data[hubKeyCAs])),
		RecoveryKeyHash: protocol.Fingerprint(recovery),
	}
	return k, nil
}

// RecoverKeys returns the Secret of a hub that lost its keys: new ones, which
// the recovery key vouches for, under the hub id that agents know. Agents that
// trust the old keys take the new ones from the next document they get.
func RecoverKeys(namespace, hubID, recoverySeed string, now time.Time) (*corev1.Secret, error) {
	recovery, err := protocol.ParseSeed(strings.TrimSpace(recoverySeed))
	if err != nil {
		return nil, fmt.Errorf("read the recovery key: %w", err)
	}
	secret, _, err := newHubKey(namespace)
	if err != nil {
		return nil, err
	}
	secret.Data[hubKeyID] = []byte(hubID)
	secret.Data[hubKeyRecovery] = []byte(protocol.EncodeKey(protocol.Public(recovery)))
	key, err := readHubKey(*secret)
	if err != nil {
		return nil, err
	}
	text, err := protocol.SignRecovery(recovery, protocol.Recovery{Hub: hubID, HubKeys: key.trust.HubKeys, Time: now.Unix()})
	if err != nil {
		return nil, err
	}
	secret.Data[hubKeyRecover] = []byte(text)
	return secret, nil
}

// ID is the hub id: the audience of every agent's requests.
func (k *HubKey) ID() string { return k.id }

// Sign returns the signature of a document's header by the current key. It
// stamps the time, which agents with a wrong clock take as the least it can be.
func (k *HubKey) Sign(h protocol.Header) (string, error) {
	if h.Time == 0 {
		h.Time = k.now().Unix()
	}
	return protocol.SignHeader(k.current, h)
}

// Trust is what agents shall trust.
func (k *HubKey) Trust() protocol.TrustSet {
	t := k.trust
	t.HubKeys = append([]string(nil), t.HubKeys...)
	t.CAHashes = append([]string(nil), t.CAHashes...)
	return t
}

// Fingerprint of the current key: what join tokens pin.
func (k *HubKey) Fingerprint() string { return protocol.Fingerprint(protocol.Public(k.current)) }

// Recovery is the recovery key's seed if this call of LoadOrCreate made it,
// else empty. It is stored nowhere: print it once, for a person to keep.
func (k *HubKey) Recovery() string { return k.recovery }

// welcome signs the answer to a join.
func (k *HubKey) welcome(resp protocol.JoinResponse) (string, error) {
	resp.HubID = k.id
	resp.HubKey = protocol.EncodeKey(protocol.Public(k.current))
	resp.Trust = k.Trust()
	return protocol.SignJoinResponse(k.current, resp)
}
