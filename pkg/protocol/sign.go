package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// DigestOf is how a header names the bytes of a document.
func DigestOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// SignHeader returns the compact JWS of h by the hub key.
func SignHeader(key ed25519.PrivateKey, h Header) (string, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("encode header of revision %d: %w", h.Revision, err)
	}
	return sign(key, typeHeader, data)
}

// VerifyHeader returns the header that signature covers, if a key of trust made it.
func VerifyHeader(signature string, trust TrustSet) (Header, error) {
	keys, err := trust.keys()
	if err != nil {
		return Header{}, err
	}
	data, err := verify(signature, typeHeader, keys...)
	if err != nil {
		return Header{}, err
	}
	var h Header
	if err := json.Unmarshal(data, &h); err != nil {
		return Header{}, fmt.Errorf("read signed header: %w", err)
	}
	return h, nil
}

// Open returns the document of an envelope after it checked the signature, the
// digest of the bytes and that header and document speak of the same revision.
func Open(env Envelope, trust TrustSet) (Document, Header, error) {
	h, err := verifyOrRecover(env, trust)
	if err != nil {
		return Document{}, Header{}, err
	}
	if got := DigestOf(env.Document); got != h.Digest {
		return Document{}, Header{}, fmt.Errorf("document of revision %d has digest %s, signed was %s: %w", h.Revision, got, h.Digest, ErrSignature)
	}
	var doc Document
	if err := json.Unmarshal([]byte(env.Document), &doc); err != nil {
		return Document{}, Header{}, fmt.Errorf("read document of revision %d: %w", h.Revision, err)
	}
	if doc.Version > Version {
		return Document{}, Header{}, fmt.Errorf("document of revision %d has version %d, this program reads %d", h.Revision, doc.Version, Version)
	}
	if doc.Hub != h.Hub || doc.Cluster != h.Cluster || doc.Assignment != h.Assignment || doc.Epoch != h.Epoch || doc.Revision != h.Revision {
		return Document{}, Header{}, fmt.Errorf("document and header of revision %d disagree: %w", h.Revision, ErrSignature)
	}
	return doc, h, nil
}

func (t TrustSet) keys() ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, text := range t.HubKeys {
		key, err := ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("trusted hub key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// PeekHeader reads a signature's header without verifying it: for the hub,
// which looks at its own documents.
func PeekHeader(signature string) (Header, error) {
	jws, err := parse(signature, typeHeader)
	if err != nil {
		return Header{}, err
	}
	var h Header
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &h); err != nil {
		return Header{}, fmt.Errorf("read header: %w", err)
	}
	return h, nil
}
