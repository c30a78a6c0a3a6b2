package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/agent/loop"
	"github.com/muster-dev/muster/pkg/protocol"
)

// identityName is the Secret with the agent's identity.
const identityName = "muster-agent-identity"

// maxTokenBytes bounds a token file.
const maxTokenBytes = 16 << 10

// joinPause and joinPauseMax bound the pause between two tries to join.
const joinPause, joinPauseMax = time.Second, 30 * time.Second

// keeper keeps the identity in the agent's own cluster.
type keeper struct {
	client    *kube.Client
	tokenFile string
	roots     *x509.CertPool
	log       *slog.Logger

	mu    sync.Mutex // guards the Secret and busy
	busy  bool
	tasks sync.WaitGroup
}

// record is what the Secret holds.
type record struct {
	// Identity is empty while the agent is not joined.
	Identity json.RawMessage `json:"identity,omitempty"`
	// Joining is the seed of the key that a join was, or is about to be, asked
	// with: made and stored before, so that a retry spends no second use.
	Joining string `json:"joining,omitempty"`
	// Token is the digest of the token of the last join.
	Token string `json:"token,omitempty"`
}

// identity returns the stored identity, or joins until it has one.
func (k *keeper) identity(ctx context.Context) (hubclient.Identity, error) {
	for wait := joinPause; ; wait = min(2*wait, joinPauseMax) {
		identity, err := k.tryIdentity(ctx)
		if err == nil {
			return identity, nil
		}
		if ctx.Err() != nil {
			return identity, err
		}
		k.log.Warn("not joined yet", "error", err.Error(), "again", wait.String())
		pause(ctx, wait)
	}
}

func (k *keeper) tryIdentity(ctx context.Context) (hubclient.Identity, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, err := k.load(ctx)
	if err != nil {
		return hubclient.Identity{}, err
	}
	if len(r.Identity) > 0 {
		return hubclient.ParseIdentity(r.Identity)
	}
	token, err := k.token()
	if err != nil {
		return hubclient.Identity{}, err
	}
	return k.joinLocked(ctx, r, token, nil)
}

// joinLocked asks the hub to let this cluster in and stores the answer.
func (k *keeper) joinLocked(ctx context.Context, r record, token string, old ed25519.PrivateKey) (hubclient.Identity, error) {
	key, err := k.joiningKeyLocked(ctx, &r)
	if err != nil {
		return hubclient.Identity{}, err
	}
	if err := k.client.Kinds.Refresh(ctx); err != nil {
		return hubclient.Identity{}, fmt.Errorf("discover: %w", err)
	}
	facts, err := loop.Facts(ctx, k.client, version)
	if err != nil {
		return hubclient.Identity{}, err
	}
	identity, err := hubclient.Join(ctx, token, key, facts, hubclient.Options{RootCAs: k.roots, OldKey: old})
	if err != nil {
		return hubclient.Identity{}, err
	}
	r.Joining, r.Token = "", digest(token)
	if r.Identity, err = identity.Encode(); err != nil {
		return hubclient.Identity{}, fmt.Errorf("encode identity: %w", err)
	}
	k.log.Info("joined", "cluster", identity.Workspace+"/"+identity.Cluster, "hub", identity.HubID)
	return identity, k.store(ctx, r)
}

func (k *keeper) joiningKeyLocked(ctx context.Context, r *record) (ed25519.PrivateKey, error) {
	if r.Joining != "" {
		return protocol.ParseSeed(r.Joining)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the agent's key: %w", err)
	}
	r.Joining = protocol.EncodeSeed(key)
	return key, k.store(ctx, *r)
}

// token reads the token file.
func (k *keeper) token() (string, error) {
	if k.tokenFile == "" {
		return "", errors.New("this cluster has not joined a hub: --token-file is needed (make a token with: muster cluster token)")
	}
	f, err := os.Open(k.tokenFile)
	if err != nil {
		return "", fmt.Errorf("read join token: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTokenBytes))
	if err != nil {
		return "", fmt.Errorf("read join token: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// joinAgain joins with a new token, in the background, when the hub revoked the
// identity; the old key vouches for the new one.
func (k *keeper) joinAgain(ctx context.Context, current hubclient.Identity, joined func()) {
	k.background(func() {
		if err := k.tryJoinAgain(ctx, current); err != nil {
			k.log.Warn("not joined again", "error", err.Error())
			return
		}
		joined()
	})
}

func (k *keeper) tryJoinAgain(ctx context.Context, current hubclient.Identity) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, err := k.load(ctx)
	if err != nil {
		return err
	}
	token, err := k.token()
	if err != nil {
		return err
	}
	if digest(token) == r.Token {
		return errors.New("the token file still holds the token of the last join: write a new one into it")
	}
	old, err := current.PrivateKey()
	if err != nil {
		return fmt.Errorf("read the old key: %w", err)
	}
	_, err = k.joinLocked(ctx, r, token, old)
	return err
}

// background runs f unless something runs already.
func (k *keeper) background(f func()) {
	k.mu.Lock()
	busy := k.busy
	k.busy = true
	k.mu.Unlock()
	if busy {
		return
	}
	k.tasks.Go(func() {
		f()
		k.mu.Lock()
		k.busy = false
		k.mu.Unlock()
	})
}

// storeSoon stores an identity whose trust changed. The journal holds the
// document that said so, so nothing is lost if this fails: the next start adopts it.
func (k *keeper) storeSoon(ctx context.Context, identity hubclient.Identity) {
	k.tasks.Go(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		r, err := k.load(ctx)
		if err == nil {
			r.Identity, err = identity.Encode()
		}
		if err == nil {
			err = k.store(ctx, r)
		}
		if err != nil {
			k.log.Warn("identity was not stored", "error", err.Error())
		}
	})
}

func (k *keeper) wait() { k.tasks.Wait() }

func (k *keeper) path() string {
	return "/api/v1/namespaces/" + k.client.Namespace() + "/secrets/" + identityName
}

func (k *keeper) load(ctx context.Context) (record, error) {
	data, err := k.client.Get(ctx, k.path())
	if kube.IsGone(err) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("read Secret %s: %w", identityName, err)
	}
	var secret struct {
		Data map[string][]byte `json:"data"`
	}
	var r record
	if json.Unmarshal(data, &secret) != nil || json.Unmarshal(secret.Data["identity"], &r) != nil {
		return r, fmt.Errorf("read Secret %s: its content is not an identity", identityName) // its text holds a key
	}
	return r, nil
}

func (k *keeper) store(ctx context.Context, r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode identity: %w", err)
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "muster.dev/identity",
		"metadata": map[string]any{"name": identityName, "namespace": k.client.Namespace()},
		"data":     map[string][]byte{"identity": data},
	})
	if err != nil {
		return fmt.Errorf("encode Secret %s: %w", identityName, err)
	}
	if _, err := k.client.Merge(ctx, k.path(), body); err != nil {
		return fmt.Errorf("write Secret %s: %w", identityName, err)
	}
	return nil
}
