package gitserver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// SignatureHeader carries the HMAC of a webhook's body, as GitHub's does.
const SignatureHeader = "X-Hub-Signature-256"

// Hook is where one GitRepo wants to hear of pushes.
type Hook struct {
	// URL of the manager's receiver.
	URL string
	// Secret keys the HMAC.
	Secret []byte
}

// Deliver sends a GitHub-style push event.
func (h Hook) Deliver(ctx context.Context, cloneURL string, p Push) error {
	body, err := json.Marshal(map[string]any{
		"ref": p.Ref, "before": p.Before, "after": p.After,
		"repository": map[string]any{"full_name": p.Repository, "clone_url": cloneURL, "html_url": cloneURL},
	})
	if err != nil {
		return fmt.Errorf("encode webhook: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook %s: %w", h.URL, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-GitHub-Delivery", rand.Text())
	r.Header.Set(SignatureHeader, Sign(h.Secret, body))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("webhook %s: %w", h.URL, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 512))
	if err != nil || answer.StatusCode/100 != 2 {
		return fmt.Errorf("webhook %s: %s: %s %v", h.URL, answer.Status, text, err)
	}
	return nil
}

// Sign is the value of SignatureHeader for a body.
func Sign(secret, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
