package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Fingerprint is a digest over the fields a manager owns and their values. It
// is taken from the answer of an apply: whoever changes, takes or removes one
// of these fields changes it, defaults and normal forms of the API server do
// not, and status or foreign fields have no part in it. Empty if the manager
// owns nothing.
func Fingerprint(object map[string]any, manager string) string {
	fields, ok := Owned(object, manager)
	if !ok {
		return ""
	}
	h := sha256.New()
	for _, f := range fields {
		h.Write([]byte(f.Path)) // never fails, as hash.Hash promises
		h.Write([]byte{0})
		if f.Present {
			h.Write([]byte(canonical(f.Value)))
		}
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Fingerprints returns the fingerprint of every manager with the prefix.
func Fingerprints(object map[string]any, prefix string) map[string]string {
	prints := map[string]string{}
	for _, m := range Managers(object) {
		if strings.HasPrefix(m, prefix) {
			if p := Fingerprint(object, m); p != "" {
				prints[m] = p
			}
		}
	}
	return prints
}
