package protocol

// Token is what `muster cluster token` prints, base64url of this JSON, once.
type Token struct {
	Version int `json:"v"`
	// Name of the JoinToken object and its workspace.
	Workspace string `json:"w"`
	Name      string `json:"n"`
	// Seed is the Ed25519 seed (base64); the hub keeps only its public half.
	Seed string `json:"s"`
	// Hub is the gateway's URL.
	Hub string `json:"u"`
	// HubKey is the fingerprint of the hub key: SHA-256, hex. The trust anchor.
	HubKey string `json:"k"`
	// CA is an optional pin: SHA-256 (hex) of the CA's SubjectPublicKeyInfo.
	CA string `json:"ca,omitempty"`
}

// JoinRequest asks to join. It travels as a JWS with two signatures: by the
// token's key and by the agent's key.
type JoinRequest struct {
	Version int `json:"v"`
	// Workspace and Token name the JoinToken.
	Workspace string `json:"w"`
	Token     string `json:"t"`
	// PublicKey is the agent's Ed25519 key, base64.
	PublicKey string `json:"key"`
	// Name the agent would like; the token decides.
	Name  string `json:"name,omitempty"`
	Nonce string `json:"nonce"`
	// IssuedAt in unix seconds by the agent's clock; informational, edge clocks may be wrong.
	IssuedAt int64 `json:"iat"`
	Facts    Facts `json:"facts"`
	// OldKeySignature proves the old key when a name that exists joins again.
	OldKeySignature string `json:"oldKey,omitempty"`
}

// JoinResponse is signed by the hub key (compact JWS).
type JoinResponse struct {
	Version int `json:"v"`
	// Nonce of the request, repeated.
	Nonce      string   `json:"nonce"`
	HubID      string   `json:"hub"`
	HubKey     string   `json:"hubKey"` // public, base64; must match the token's fingerprint
	Workspace  string   `json:"w"`
	Cluster    string   `json:"cluster"`
	ClusterUID string   `json:"clusterUID"`
	KeyID      string   `json:"keyID"`
	Trust      TrustSet `json:"trust"`
	// Time of the hub, unix seconds.
	Time int64 `json:"time"`
}

// RotateRequest announces the agent's next key.
type RotateRequest struct {
	Version   int    `json:"v"`
	PublicKey string `json:"key"`
	// Proof is a compact JWS by the next key over the cluster uid.
	Proof string `json:"proof"`
}

// Error is the body of every refusal.
type Error struct {
	// Code is stable: unauthorized, revoked, quarantined, forbidden, notFound, tooLarge, invalid, conflict, expired, used, busy, hubWentBack.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Action says what a person can do.
	Action string `json:"action,omitempty"`
}
