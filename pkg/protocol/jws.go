package protocol

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// The JWS types. One key signs several kinds of statement; the type in the
// protected header keeps a statement of one kind from passing as another.
const (
	typeHeader   = "muster-header"
	typeRequest  = "muster-request"
	typeJoin     = "muster-join"
	typeJoined   = "muster-joined"
	typeRotate   = "muster-rotate"
	typeOldKey   = "muster-oldkey"
	typeRecovery = "muster-recovery"
)

// Bounds of what is parsed before a signature was verified.
const (
	maxSignature = 16 << 10
	// MaxJoinBytes bounds a join request; its facts are most of it.
	MaxJoinBytes = 512 << 10
)

var (
	// ErrSignature says that a statement is not signed as it must be.
	ErrSignature = errors.New("signature does not verify")
	// ErrExpired says that a request token's time is over, or has not come by the hub's clock.
	ErrExpired = errors.New("request token is outside its time")
)

var algorithms = []jose.SignatureAlgorithm{jose.EdDSA}

func newSigner(typ string, keys ...ed25519.PrivateKey) (jose.Signer, error) {
	var signing []jose.SigningKey
	for _, key := range keys {
		signing = append(signing, jose.SigningKey{
			Algorithm: jose.EdDSA,
			Key:       jose.JSONWebKey{Key: key, KeyID: KeyID(Public(key))},
		})
	}
	opts := (&jose.SignerOptions{}).WithType(jose.ContentType(typ))
	return jose.NewMultiSigner(signing, opts)
}

// sign returns a compact JWS of payload.
func sign(key ed25519.PrivateKey, typ string, payload []byte) (string, error) {
	signer, err := newSigner(typ, key)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", typ, err)
	}
	return text, nil
}

// parse reads a compact JWS of one type without verifying it.
func parse(text, typ string) (*jose.JSONWebSignature, error) {
	if len(text) > maxSignature {
		return nil, fmt.Errorf("%s of %d bytes: %w", typ, len(text), ErrSignature)
	}
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", typ, ErrSignature)
	}
	if err := checkType(jws.Signatures[0], typ); err != nil {
		return nil, err
	}
	return jws, nil
}

func checkType(sig jose.Signature, typ string) error {
	if got, _ := sig.Protected.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return fmt.Errorf("type %.32q where %s was expected: %w", got, typ, ErrSignature)
	}
	return nil
}

// verify returns the payload of a compact JWS signed by one of keys.
func verify(text, typ string, keys ...ed25519.PublicKey) ([]byte, error) {
	jws, err := parse(text, typ)
	if err != nil {
		return nil, err
	}
	id := jws.Signatures[0].Protected.KeyID
	for _, key := range keys {
		if KeyID(key) != id {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("%s by key %.16q: %w", typ, id, ErrSignature)
}
