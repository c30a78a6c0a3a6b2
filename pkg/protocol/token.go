package protocol

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// TokenPrefix starts every join token, so that secret scanners find leaked ones.
const TokenPrefix = "muster-join-"

const maxToken = 4 << 10

// Encode returns the text of a token: TokenPrefix and base64url of its JSON.
func (t Token) Encode() (string, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode join token %s: %w", t.Name, err)
	}
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(data), nil
}

// ParseToken reads a join token. Its errors never repeat the text.
func ParseToken(text string) (Token, error) {
	text = strings.TrimSpace(text)
	body, ok := strings.CutPrefix(text, TokenPrefix)
	if !ok {
		return Token{}, fmt.Errorf("read join token: it does not start with %s", TokenPrefix)
	}
	if len(body) > maxToken {
		return Token{}, errors.New("read join token: too long")
	}
	data, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return Token{}, errors.New("read join token: not base64url, was it cut?")
	}
	var t Token
	if err := json.Unmarshal(data, &t); err != nil {
		return Token{}, errors.New("read join token: not JSON inside, was it cut?")
	}
	if err := t.check(); err != nil {
		return Token{}, fmt.Errorf("read join token: %w", err)
	}
	return t, nil
}

func (t Token) check() error {
	if t.Version > Version {
		return fmt.Errorf("version %d is newer than this program's %d", t.Version, Version)
	}
	if t.Workspace == "" || t.Name == "" {
		return errors.New("it names no workspace or no token")
	}
	if u, err := url.Parse(t.Hub); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("its hub is no http(s) address")
	}
	if len(t.HubKey) != 64 {
		return errors.New("it has no fingerprint of the hub key")
	}
	_, err := ParseSeed(t.Seed)
	return err
}

// Key returns the token's private key.
func (t Token) Key() (ed25519.PrivateKey, error) { return ParseSeed(t.Seed) }
