package hubclient

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"

	"github.com/muster-dev/muster/pkg/protocol"
)

// Identity is who the agent is to its hub and whom it trusts. Store it where
// only the agent reads: Key is private.
type Identity struct {
	Version int `json:"v"`
	// HubURL is where the gateway is.
	HubURL string `json:"hubURL"`
	// HubID is the audience of requests.
	HubID string `json:"hubID"`
	// HubKey is the key that signed the join, base64.
	HubKey    string `json:"hubKey"`
	Workspace string `json:"workspace"`
	Cluster   string `json:"cluster"`
	// ClusterUID is what documents are signed for.
	ClusterUID string `json:"clusterUID"`
	// Key is the seed of the agent's Ed25519 key, base64.
	Key string `json:"key"`
	// NextKey is the seed of a key that was announced, or is about to be; the hub knows it once Rotate returned.
	NextKey string `json:"nextKey,omitempty"`
	// Trust is what the newest obeyed document said.
	Trust protocol.TrustSet `json:"trust"`
	// CA is what the join token pinned, if anything.
	CA string `json:"ca,omitempty"`
	// Time is the latest time of the hub that it signed, unix seconds: the clock never shows less.
	Time int64 `json:"time,omitempty"`
}

// PrivateKey returns the agent's key.
func (id Identity) PrivateKey() (ed25519.PrivateKey, error) { return protocol.ParseSeed(id.Key) }

// Encode returns the identity as JSON.
func (id Identity) Encode() ([]byte, error) { return json.Marshal(id) }

// ParseIdentity reads what Encode wrote.
func ParseIdentity(data []byte) (Identity, error) {
	var id Identity
	if err := json.Unmarshal(data, &id); err != nil {
		return Identity{}, fmt.Errorf("read identity: not the JSON of one") // its text holds a key
	}
	if id.Version > protocol.Version {
		return Identity{}, fmt.Errorf("read identity: version %d is newer than this agent's %d", id.Version, protocol.Version)
	}
	if _, err := id.PrivateKey(); err != nil {
		return Identity{}, fmt.Errorf("read identity: %w", err)
	}
	return id, nil
}

// String names the identity without its key.
func (id Identity) String() string { return id.Workspace + "/" + id.Cluster + " of hub " + id.HubID }

// GoString keeps the key out of %#v.
func (id Identity) GoString() string { return "hubclient.Identity(" + id.String() + ")" }

// Format keeps the key out of every other verb, %+v above all.
func (id Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(id.String())) }

// pins are the CA hashes that the hub's certificate chain must hold one of.
func (id Identity) pins() []string {
	if len(id.Trust.CAHashes) > 0 {
		return id.Trust.CAHashes
	}
	if id.CA != "" {
		return []string{id.CA}
	}
	return nil
}
