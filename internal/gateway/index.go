package gateway

import (
	"crypto/ed25519"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// member is a Cluster that joined, as far as requests are judged by it.
type member struct {
	name client.ObjectKey
	// object is the Cluster's uid, identity the agent's uid across rejoins.
	object, identity string
	kubeSystem       string
	quarantined      string
	keys             []agentKey
}

type agentKey struct {
	id     string
	public ed25519.PublicKey
	state  string
	since  time.Time
}

// The states of an agent's key.
const (
	keyCurrent  = "current"
	keyNext     = "next"
	keyPrevious = "previous"
)

// newMember returns nil for a Cluster that no agent joined as.
func newMember(c *v1alpha1.Cluster) *member {
	id := c.Status.Identity
	if id == nil || !c.DeletionTimestamp.IsZero() {
		return nil
	}
	m := &member{
		name:        client.ObjectKeyFromObject(c),
		object:      string(c.UID),
		identity:    id.UID,
		kubeSystem:  id.KubeSystemUID,
		quarantined: id.Quarantined,
	}
	for _, k := range id.Keys {
		public, err := protocol.ParseKey(k.Public)
		if err != nil {
			continue // whoever wrote this key cannot be recognised by it
		}
		key := agentKey{id: protocol.KeyID(public), public: public, state: k.State}
		if k.Since != nil {
			key.since = k.Since.Time
		}
		m.keys = append(m.keys, key)
	}
	return m
}

func (m *member) key(id string) (agentKey, bool) {
	for _, k := range m.keys {
		if k.id == id {
			return k, true
		}
	}
	return agentKey{}, false
}

// joinedAnew tells whether no key of m is good any more in another state of the cluster.
func (m *member) joinedAnew(now *member) bool {
	if m == nil || now == nil {
		return true
	}
	for _, k := range m.keys {
		if _, ok := now.key(k.id); ok {
			return false
		}
	}
	return true
}

// objectName is how the manager's namespace names a cluster's objects. A
// namespace's name has no dot, so no two clusters share one.
func objectName(cluster client.ObjectKey) string { return cluster.Namespace + "." + cluster.Name }

// index finds the cluster that a key belongs to. Informer events feed it.
type index struct {
	mu sync.RWMutex
	// Both maps are guarded by mu.
	byKey     map[string]map[client.ObjectKey]*member
	byCluster map[client.ObjectKey]*member
}

func newIndex() *index {
	return &index{
		byKey:     map[string]map[client.ObjectKey]*member{},
		byCluster: map[client.ObjectKey]*member{},
	}
}

// set replaces what is known of a cluster; m may be nil.
func (x *index) set(name client.ObjectKey, m *member) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old := x.byCluster[name]; old != nil {
		for _, k := range old.keys {
			delete(x.byKey[k.id], name)
			if len(x.byKey[k.id]) == 0 {
				delete(x.byKey, k.id)
			}
		}
		delete(x.byCluster, name)
	}
	if m != nil {
		x.byCluster[name] = m
		for _, k := range m.keys {
			if x.byKey[k.id] == nil {
				x.byKey[k.id] = map[client.ObjectKey]*member{}
			}
			x.byKey[k.id][name] = m
		}
	}
}

func (x *index) get(name client.ObjectKey) *member {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byCluster[name]
}

// find returns the members that a key id may belong to.
func (x *index) find(keyID string) []*member {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var found []*member
	for _, m := range x.byKey[keyID] {
		found = append(found, m)
	}
	return found
}
