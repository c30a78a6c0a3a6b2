package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// EncodeKey returns the text form of a public key: standard base64.
func EncodeKey(pub ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(pub) }

// ParseKey reads what EncodeKey wrote.
func ParseKey(text string) (ed25519.PublicKey, error) {
	raw, err := decodeKeyText(text)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	return ed25519.PublicKey(raw), nil
}

// EncodeSeed returns the text form of a private key: its seed, standard base64.
func EncodeSeed(key ed25519.PrivateKey) string { return base64.StdEncoding.EncodeToString(key.Seed()) }

// ParseSeed reads what EncodeSeed wrote. Its errors never repeat the text.
func ParseSeed(text string) (ed25519.PrivateKey, error) {
	raw, err := decodeKeyText(text)
	if err != nil {
		return nil, fmt.Errorf("read key seed: %w", err)
	}
	return ed25519.NewKeyFromSeed(raw), nil
}

// decodeKeyText reads 32 bytes. A seed and a public key are equally long.
func decodeKeyText(text string) ([]byte, error) {
	if len(text) > base64.StdEncoding.EncodedLen(ed25519.SeedSize) {
		return nil, fmt.Errorf("%d characters are too many", len(text))
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("not base64")
	}
	if len(raw) != ed25519.SeedSize {
		return nil, fmt.Errorf("%d bytes instead of %d", len(raw), ed25519.SeedSize)
	}
	return raw, nil
}

// KeyID names a public key: the first 16 hex digits of its SHA-256.
func KeyID(pub ed25519.PublicKey) string { return Fingerprint(pub)[:16] }

// Fingerprint is the SHA-256 of a public key, hex: what a join token pins.
func Fingerprint(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:])
}

// Public returns the public half of a private key.
func Public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }
