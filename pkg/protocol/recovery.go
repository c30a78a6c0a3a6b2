package protocol

import (
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/json"
	"fmt"
)

// SignRecovery names new hub keys by the recovery key.
func SignRecovery(recovery ed25519.PrivateKey, r Recovery) (string, error) {
	r.Key = EncodeKey(Public(recovery))
	data, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode recovery: %w", err)
	}
	return sign(recovery, typeRecovery, data)
}

// VerifyRecovery reads a recovery that was signed by the key whose hash trust holds.
func VerifyRecovery(text string, trust TrustSet) (Recovery, error) {
	jws, err := parse(text, typeRecovery)
	if err != nil {
		return Recovery{}, err
	}
	var r Recovery
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &r); err != nil {
		return Recovery{}, fmt.Errorf("read recovery: %w", ErrSignature)
	}
	key, err := ParseKey(r.Key)
	if err != nil {
		return Recovery{}, fmt.Errorf("read recovery: %w", err)
	}
	if trust.RecoveryKeyHash == "" || subtle.ConstantTimeCompare([]byte(Fingerprint(key)), []byte(trust.RecoveryKeyHash)) != 1 {
		return Recovery{}, fmt.Errorf("recovery by a key that is not trusted for it: %w", ErrSignature)
	}
	if _, err := jws.Verify(key); err != nil {
		return Recovery{}, fmt.Errorf("recovery: %w", ErrSignature)
	}
	return r, nil
}

// verifyOrRecover verifies an envelope's header with what is trusted, or with
// the keys that the recovery key put in their place.
func verifyOrRecover(env Envelope, trust TrustSet) (Header, error) {
	h, err := VerifyHeader(env.Signature, trust)
	if err == nil || env.Recovery == "" {
		return h, err
	}
	r, recoverErr := VerifyRecovery(env.Recovery, trust)
	if recoverErr != nil {
		return Header{}, fmt.Errorf("%w; and %w", err, recoverErr)
	}
	h, err = VerifyHeader(env.Signature, TrustSet{HubKeys: r.HubKeys})
	if err == nil && h.Hub != r.Hub {
		return Header{}, fmt.Errorf("recovery of another hub: %w", ErrSignature)
	}
	return h, err
}
