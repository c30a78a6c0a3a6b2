package protocol

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// SealJoin signs a join request with the token's key and the agent's key (JWS
// JSON serialization with two signatures).
func SealJoin(req JoinRequest, token, agent ed25519.PrivateKey) ([]byte, error) {
	payload, err := json.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("encode join request: %w", err)
	}
	signer, err := newSigner(typeJoin, token, agent)
	if err != nil {
		return nil, fmt.Errorf("sign join request: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("sign join request: %w", err)
	}
	return []byte(jws.FullSerialize()), nil
}

// SealedJoin is a join request that was read and not yet verified.
type SealedJoin struct {
	// Request means nothing before Verify returned nil.
	Request JoinRequest
	// Key is the agent's public key.
	Key ed25519.PublicKey

	jws *jose.JSONWebSignature
}

// ParseJoin reads a join request without verifying it.
func ParseJoin(body []byte) (*SealedJoin, error) {
	if len(body) > MaxJoinBytes {
		return nil, fmt.Errorf("join request of %d bytes, %d are allowed", len(body), MaxJoinBytes)
	}
	jws, err := jose.ParseSignedJSON(string(body), algorithms)
	if err != nil {
		return nil, fmt.Errorf("read join request: %w", ErrSignature)
	}
	s := &SealedJoin{jws: jws}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &s.Request); err != nil {
		return nil, fmt.Errorf("read join request: %w", err)
	}
	if s.Request.Version > Version {
		return nil, fmt.Errorf("join request has version %d, this hub reads %d", s.Request.Version, Version)
	}
	if len(s.Request.Nonce) < 16 || len(s.Request.Nonce) > 128 {
		return nil, errors.New("join request without a usable nonce")
	}
	s.Key, err = ParseKey(s.Request.PublicKey)
	return s, err
}

// Verify checks both signatures: the token's key allows, the agent's key proves possession.
func (s *SealedJoin) Verify(token ed25519.PublicKey) error {
	if len(s.jws.Signatures) != 2 || token.Equal(s.Key) {
		return fmt.Errorf("join request has %d distinct signatures instead of two: %w", len(s.jws.Signatures), ErrSignature)
	}
	for _, sig := range s.jws.Signatures {
		if err := checkType(sig, typeJoin); err != nil {
			return err
		}
	}
	for what, key := range map[string]ed25519.PublicKey{"token": token, "agent": s.Key} {
		if _, _, _, err := s.jws.VerifyMulti(key); err != nil {
			return fmt.Errorf("join request is not signed by the %s's key: %w", what, ErrSignature)
		}
	}
	return nil
}

// ProveOldKey lets the old key of a cluster vouch for a new one in a join with this nonce.
func ProveOldKey(old ed25519.PrivateKey, next ed25519.PublicKey, nonce string) (string, error) {
	return sign(old, typeOldKey, []byte(nonce+"\n"+EncodeKey(next)))
}

// VerifyOldKey tells whether one of keys vouched for the join request.
func VerifyOldKey(req JoinRequest, keys ...ed25519.PublicKey) error {
	payload, err := verify(req.OldKeySignature, typeOldKey, keys...)
	if err != nil {
		return err
	}
	if string(payload) != req.Nonce+"\n"+req.PublicKey {
		return fmt.Errorf("old key vouched for another join: %w", ErrSignature)
	}
	return nil
}

// SignJoinResponse returns the compact JWS of a response by the hub key.
func SignJoinResponse(hub ed25519.PrivateKey, resp JoinResponse) (string, error) {
	data, err := json.Marshal(resp)
	if err != nil {
		return "", fmt.Errorf("encode join response: %w", err)
	}
	return sign(hub, typeJoined, data)
}

// VerifyJoinResponse reads a response, if the key with this fingerprint signed it for this nonce.
func VerifyJoinResponse(text, fingerprint, nonce string) (JoinResponse, error) {
	jws, err := parse(text, typeJoined)
	if err != nil {
		return JoinResponse{}, err
	}
	var resp JoinResponse
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &resp); err != nil {
		return JoinResponse{}, fmt.Errorf("read join response: %w", err)
	}
	key, err := ParseKey(resp.HubKey)
	if err != nil {
		return JoinResponse{}, err
	}
	// The token pinned the key; the response only says which bytes have that fingerprint.
	if Fingerprint(key) != fingerprint {
		return JoinResponse{}, fmt.Errorf("hub key has fingerprint %s, the token says %s: %w", Fingerprint(key), fingerprint, ErrSignature)
	}
	if _, err := jws.Verify(key); err != nil {
		return JoinResponse{}, fmt.Errorf("join response: %w", ErrSignature)
	}
	if resp.Nonce != nonce {
		return JoinResponse{}, fmt.Errorf("join response answers another request: %w", ErrSignature)
	}
	return resp, nil
}

// ProveNextKey is the proof of a RotateRequest: the next key signs the cluster's uid.
func ProveNextKey(next ed25519.PrivateKey, clusterUID string) (string, error) {
	return sign(next, typeRotate, []byte(clusterUID))
}

// VerifyNextKey checks a RotateRequest for one cluster and returns the next key.
func VerifyNextKey(req RotateRequest, clusterUID string) (ed25519.PublicKey, error) {
	next, err := ParseKey(req.PublicKey)
	if err != nil {
		return nil, err
	}
	payload, err := verify(req.Proof, typeRotate, next)
	if err != nil {
		return nil, err
	}
	if string(payload) != clusterUID {
		return nil, fmt.Errorf("the next key vouched for another cluster: %w", ErrSignature)
	}
	return next, nil
}
