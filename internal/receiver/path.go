package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// prefix starts every webhook's path.
	prefix = "/hooks/"
	// idBytes make an id that cannot be guessed.
	idBytes = 16
)

// PathFor is the path of the webhook of the object with this uid: /hooks/ and 32 hexadecimal characters that depend on
// the secret, so that a stranger can neither find it nor tell which repositories exist.
func PathFor(uid string, secret []byte) string { return prefix + IDFor(uid, secret) }

// IDFor is the last part of PathFor, which Lookup is asked for.
func IDFor(uid string, secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	// A hash never fails to take bytes.
	_, _ = mac.Write([]byte(uid))
	return hex.EncodeToString(mac.Sum(nil)[:idBytes])
}

// idOf finds the id in a path; false means the path is no webhook's.
func idOf(path string) (string, bool) {
	id, ok := strings.CutPrefix(path, prefix)
	if !ok || len(id) != 2*idBytes || strings.Trim(id, "0123456789abcdef") != "" {
		return "", false
	}
	return id, true
}
