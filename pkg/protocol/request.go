package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// RequestLifetime is how long a request token is good for.
	RequestLifetime = 60 * time.Second
	// RequestLeeway is how far the two clocks may differ beyond it: the agent
	// learns the hub's time from Date headers, which count whole seconds.
	RequestLeeway = 10 * time.Second
)

// RequestClaims is what an agent signs for each request (RFC 7519 names where there are such).
type RequestClaims struct {
	// Audience is the hub id.
	Audience string `json:"aud"`
	// Subject is workspace/cluster: where a replica whose cache is behind may
	// look for the key. It proves nothing and is never trusted.
	Subject string `json:"sub,omitempty"`
	// Session of the agent's process; two alternating ones are a cloned cluster.
	Session string `json:"sid,omitempty"`
	Method  string `json:"m"`
	// Path with the query, from /agent/v1 on.
	Path string `json:"p"`
	// Body is the base64url SHA-256 of the body.
	Body string `json:"b"`
	// ID is used once.
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// BodyDigest is how a request token names a body.
func BodyDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// NewRequestToken signs c with the agent's key. Times are set from now, by the hub's clock as the agent knows it.
func NewRequestToken(key ed25519.PrivateKey, c RequestClaims, now time.Time) (string, error) {
	c.IssuedAt = now.Unix()
	c.Expires = now.Add(RequestLifetime).Unix()
	data, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode request token: %w", err)
	}
	return sign(key, typeRequest, data)
}

// RequestToken is a request token that was read and not yet verified.
type RequestToken struct {
	// KeyID says whose key to verify it with.
	KeyID string
	// Claims mean nothing before Verify returned nil.
	Claims RequestClaims

	jws *jose.JSONWebSignature
}

// ParseRequestToken reads a token without verifying it.
func ParseRequestToken(text string) (*RequestToken, error) {
	jws, err := parse(text, typeRequest)
	if err != nil {
		return nil, err
	}
	t := &RequestToken{KeyID: jws.Signatures[0].Protected.KeyID, jws: jws}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &t.Claims); err != nil {
		return nil, fmt.Errorf("read request token: %w", ErrSignature)
	}
	if len(t.Claims.ID) < 16 || len(t.Claims.ID) > 64 || len(t.Claims.Session) > 64 || len(t.Claims.Subject) > 256 {
		return nil, fmt.Errorf("request token without a usable id: %w", ErrSignature)
	}
	return t, nil
}

// Verify checks signature, audience, method, path and time. It returns
// ErrExpired only when everything else holds, so that an agent whose clock is
// wrong is told so.
func (t *RequestToken) Verify(key ed25519.PublicKey, hub, method, path string, now time.Time) error {
	if _, err := t.jws.Verify(key); err != nil {
		return fmt.Errorf("request token by key %.16q: %w", t.KeyID, ErrSignature)
	}
	c := t.Claims
	if c.Audience != hub || c.Method != method || c.Path != path {
		return fmt.Errorf("request token was made for another hub or request: %w", ErrSignature)
	}
	expires := time.Unix(c.Expires, 0)
	if now.After(expires.Add(RequestLeeway)) || expires.After(now.Add(RequestLifetime+RequestLeeway)) {
		return fmt.Errorf("made at %s, it is %s: %w", time.Unix(c.IssuedAt, 0).UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), ErrExpired)
	}
	return nil
}

// CheckBody tells whether the token was made for these bytes.
func (t *RequestToken) CheckBody(body []byte) error {
	if subtle.ConstantTimeCompare([]byte(BodyDigest(body)), []byte(t.Claims.Body)) != 1 {
		return fmt.Errorf("the body is not what was signed: %w", ErrSignature)
	}
	return nil
}
