package hubclient

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/muster-dev/muster/pkg/protocol"
)

// joinTimeout bounds one try to join.
const joinTimeout = 30 * time.Second

// Join asks the hub that a token names to let this cluster in. Make key once
// and store it before: a retry with the same key gets the same answer and
// spends no second use. The hub decides name and labels.
func Join(ctx context.Context, token string, key ed25519.PrivateKey, facts protocol.Facts, o Options) (Identity, error) {
	t, err := protocol.ParseToken(token)
	if err != nil {
		return Identity{}, err
	}
	o = o.withDefaults()
	clock := &hubClock{local: o.Now}
	var pins []string
	if t.CA != "" {
		pins = []string{t.CA}
	}
	transport := newTransport(o, clock, func() []string { return pins })
	defer transport.CloseIdleConnections()
	nonce := rand.Text()
	body, err := sealJoin(t, key, facts, nonce, o)
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	answer, err := postJoin(ctx, &http.Client{Transport: transport, CheckRedirect: noRedirect}, t.Hub, body)
	if err != nil {
		return Identity{}, fmt.Errorf("join hub %s: %w", t.Hub, err)
	}
	resp, err := protocol.VerifyJoinResponse(string(answer), t.HubKey, nonce)
	if err != nil {
		return Identity{}, fmt.Errorf("join hub %s: %w", t.Hub, err)
	}
	return Identity{
		Version: protocol.Version, HubURL: t.Hub, HubID: resp.HubID, HubKey: resp.HubKey,
		Workspace: resp.Workspace, Cluster: resp.Cluster, ClusterUID: resp.ClusterUID,
		Key: protocol.EncodeSeed(key), Trust: resp.Trust, CA: t.CA, Time: resp.Time,
	}, nil
}

func sealJoin(t protocol.Token, key ed25519.PrivateKey, facts protocol.Facts, nonce string, o Options) ([]byte, error) {
	seed, err := t.Key()
	if err != nil {
		return nil, err
	}
	req := protocol.JoinRequest{
		Version: protocol.Version, Workspace: t.Workspace, Token: t.Name,
		PublicKey: protocol.EncodeKey(protocol.Public(key)), Name: o.Name,
		Nonce: nonce, IssuedAt: o.Now().Unix(), Facts: facts,
	}
	if o.OldKey != nil {
		if req.OldKeySignature, err = protocol.ProveOldKey(o.OldKey, protocol.Public(key), nonce); err != nil {
			return nil, err
		}
	}
	return protocol.SealJoin(req, seed, key)
}

func postJoin(ctx context.Context, c *http.Client, hub string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address(hub, protocol.PathJoin), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", protocol.MediaJOSE)
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refusalOf(resp)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
}
