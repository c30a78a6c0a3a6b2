package gateway_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/protocol"
)

// rawRequest is a request as an attacker would build it, field by field.
type rawRequest struct {
	method, path string
	body         []byte
	claims       protocol.RequestClaims
	key          hubclient.Identity // whose key signs
	at           time.Time
	header       http.Header
	// token replaces the one that would be made.
	token *string
}

// newRaw is a request that the identity may make.
func newRaw(h *hub, id hubclient.Identity, method, path string, body []byte) rawRequest {
	return rawRequest{
		method: method, path: path, body: body, key: id, at: time.Now(), header: http.Header{},
		claims: protocol.RequestClaims{
			Audience: h.key.ID(), Subject: id.Workspace + "/" + id.Cluster, Session: "raw-" + id.Cluster,
			Method: method, Path: path, Body: protocol.BodyDigest(body), ID: rand.Text(),
		},
	}
}

// sign returns the token of the request.
func (r rawRequest) sign(tb testing.TB) string {
	key, err := r.key.PrivateKey()
	check(tb, err)
	text, err := protocol.NewRequestToken(key, r.claims, r.at)
	check(tb, err)
	return text
}

// send returns status, the code of the refusal and the body.
func (r rawRequest) send(tb testing.TB, url string) (int, string, []byte) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), r.method, url+r.path, bytes.NewReader(r.body))
	check(tb, err)
	req.Header = r.header.Clone()
	token := r.token
	if token == nil {
		text := r.sign(tb)
		token = &text
	}
	if *token != "" {
		req.Header.Set("Authorization", "Bearer "+*token)
	}
	resp, err := http.DefaultClient.Do(req)
	check(tb, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(tb, err)
	var refused protocol.Error
	if resp.StatusCode >= 400 {
		check(tb, json.Unmarshal(body, &refused))
		if refused.Message == "" {
			tb.Errorf("refusal %q without a reason", refused.Code)
		}
	}
	return resp.StatusCode, refused.Code, body
}

// reportBody is a small report.
func reportBody(tb testing.TB, session string, sequence int64, states ...protocol.BundleReport) []byte {
	body, err := json.Marshal(protocol.Report{Version: 1, Session: session, Sequence: sequence, Bundles: states, NotReady: len(states)})
	check(tb, err)
	return body
}
