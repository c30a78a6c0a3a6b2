package protocol

// Version of the document format. A reader refuses a greater one.
const Version = 1

// Document is all that one cluster shall run: complete and level-based. An
// agent that missed a thousand of them needs only the newest.
type Document struct {
	Version int `json:"v"`
	// Hub, Cluster and Assignment are uids; with Epoch and Revision they are the agent's high-water mark.
	Hub        string `json:"hub"`
	Cluster    string `json:"cluster"`
	Assignment string `json:"assignment"`
	Epoch      int64  `json:"epoch"`
	Revision   int64  `json:"revision"`
	// Entries sorted by workspace, bundle. Empty with EntriesRef set when there are more than MaxEntries.
	Entries []Entry `json:"entries"`
	// EntriesRef is the content id of an EntryList.
	EntriesRef string `json:"entriesRef,omitempty"`
	// Removals name inventories to be removed, level-based: kept until a report lacks the head.
	Removals []Removal `json:"removals,omitempty"`
	// Handovers name keys that move between bundles without deletion.
	Handovers []Handover `json:"handovers,omitempty"`
	// Retain lists bundle uids of which nothing may be pruned: keys that left their manifests stay, owned and reported.
	Retain []string `json:"retain,omitempty"`
	// Paused bundles (uids) keep what runs; nothing is applied, corrected or pruned for them.
	Paused []string `json:"paused,omitempty"`
	// Trust is what the agent shall trust from now on.
	Trust TrustSet `json:"trust"`
}

// MaxEntries is how many entries a document carries itself.
const MaxEntries = 500

// Entry is one bundle that the cluster shall run.
type Entry struct {
	Workspace string `json:"w"`
	Bundle    string `json:"b"`
	UID       string `json:"u"`
	// Generation at which this cluster's wanted identity last changed.
	Generation int64 `json:"g"`
	// Content id of the content.Item.
	Content string `json:"c"`
	// Revision of the document in which this entry last changed; a report of an older one says nothing of it.
	Revision int64 `json:"r"`
}

// EntryList is the content item that EntriesRef names.
type EntryList struct {
	Version int     `json:"v"`
	Entries []Entry `json:"entries"`
}

// Removal tells the agent to remove what a bundle's inventory lists.
type Removal struct {
	UID       string `json:"u"`
	Workspace string `json:"w"`
	Bundle    string `json:"b"`
	// Revision of the document in which it first appeared.
	Revision int64 `json:"r"`
	// Keep forgets the inventory and leaves the objects (keepResources).
	Keep bool `json:"keep,omitempty"`
	// DeleteNamespace and DeleteCRDs as the bundle's options said last.
	DeleteNamespace bool `json:"deleteNamespace,omitempty"`
	DeleteCRDs      bool `json:"deleteCRDs,omitempty"`
}

// Handover moves the ownership of one key; the object's uid stays.
type Handover struct {
	// Key is content.Key's text form group/Kind/namespace/name.
	Key  string `json:"k"`
	From string `json:"from"`
	To   string `json:"to"`
	// Revision of the document in which it first appeared.
	Revision int64 `json:"r"`
}

// TrustSet is what an agent trusts; any document rotates it.
type TrustSet struct {
	// HubKeys are Ed25519 public keys (base64), current first, then next.
	HubKeys []string `json:"hubKeys"`
	// CAHashes are SHA-256 (hex) of CA certificates' SubjectPublicKeyInfo; empty = the system's roots.
	CAHashes []string `json:"caHashes,omitempty"`
	// RecoveryKeyHash is the SHA-256 (hex) of the recovery public key, which may replace HubKeys.
	RecoveryKeyHash string `json:"recoveryKeyHash,omitempty"`
}

// Header is what the hub key signs. Its compact JWS is stored with the
// document, and agents present it to prove what they obeyed.
type Header struct {
	Hub        string `json:"hub"`
	Cluster    string `json:"cluster"`
	Assignment string `json:"assignment"`
	Epoch      int64  `json:"epoch"`
	Revision   int64  `json:"revision"`
	// Digest is "sha256:" and the hex SHA-256 of the document's bytes.
	Digest string `json:"digest"`
	// Time of signing, unix seconds by the hub's clock: the floor of what an agent with a wrong clock takes for the time.
	Time int64 `json:"time,omitempty"`
}

// Envelope carries a document and its signature: the answer of GET /assignment
// and each line of its stream. An empty envelope is a keep-alive.
type Envelope struct {
	// Signature is a compact JWS over Header.
	Signature string `json:"signature,omitempty"`
	// Document is the JSON text of a Document, byte for byte as it was signed.
	Document string `json:"document,omitempty"`
	// Recovery is a compact JWS over Recovery, sent for as long as agents may be waiting for it.
	Recovery string `json:"recovery,omitempty"`
}

// Recovery replaces the hub keys that an agent trusts, when the hub lost its
// own. The recovery key signs it, of which agents know the hash.
type Recovery struct {
	Hub string `json:"hub"`
	// Key is the recovery public key, base64.
	Key string `json:"key"`
	// HubKeys are Ed25519 public keys (base64), current first, then next.
	HubKeys []string `json:"hubKeys"`
	// Time of signing, unix seconds.
	Time int64 `json:"time"`
}
