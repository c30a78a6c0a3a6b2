package core

import (
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// StateVersion of the persisted values. A reader refuses a greater one.
const StateVersion = 1

// Mark is how far an agent has come: it never acts on anything older.
type Mark struct {
	Assignment string `json:"assignment,omitempty"`
	Epoch      int64  `json:"epoch,omitempty"`
	Revision   int64  `json:"revision,omitempty"`
	// Signature is the header of the newest document obeyed.
	Signature string `json:"signature,omitempty"`
	// Digest of that document's bytes.
	Digest string `json:"digest,omitempty"`
}

// Before tells whether m is older than o on the same line of documents.
func (m Mark) Before(o Mark) bool {
	if m.Epoch != o.Epoch {
		return m.Epoch < o.Epoch
	}
	return m.Revision < o.Revision
}

// Journal is written before a document is acted on, once per document: the
// mark, the document and the keys that are about to be created.
type Journal struct {
	Version int `json:"v"`
	// Sequence counts journals.
	Sequence uint64 `json:"sequence"`
	Mark     Mark   `json:"mark"`
	// Retired assignments: a replay of an earlier line is refused for ever.
	Retired []string `json:"retired,omitempty"`
	// Document that is obeyed.
	Document *protocol.Document `json:"document,omitempty"`
	// Heads are the uids whose state is stored; one that is listed and missing was lost.
	Heads []string `json:"heads,omitempty"`
	// Intents are inventory entries that no stored state holds yet.
	Intents []Inventory `json:"intents,omitempty"`
}

// Inventory is what one bundle has, or is about to have, on the cluster.
type Inventory struct {
	Version   int    `json:"v"`
	UID       string `json:"uid"`
	Workspace string `json:"workspace"`
	Bundle    string `json:"bundle"`
	// Generation and Content that were applied last.
	Generation int64 `json:"generation,omitempty"`
	// Journal is the sequence of the newest journal that was made before this.
	Journal uint64     `json:"journal,omitempty"`
	Content content.ID `json:"content,omitempty"`
	Entries []Entry    `json:"entries,omitempty"`
}

// Entry is one object of an inventory.
type Entry struct {
	Key     content.Key  `json:"k"`
	Version string       `json:"v,omitempty"` // API version it was applied with
	Role    content.Role `json:"role,omitempty"`
	// Intent makes this bundle's claim on the key recognisable: the owner annotation carries it.
	Intent string `json:"i"`
	// UID of the object; empty until the apply was answered.
	UID string `json:"uid,omitempty"`
	// Hash of the desired object that was applied last.
	Hash string `json:"h,omitempty"`
	// Print is the fingerprint of the fields we own, as the API server answered the last apply.
	Print string `json:"p,omitempty"`
	// Created is true if the object did not exist before our first apply.
	Created bool `json:"created,omitempty"`
	// Done is true for a finished Job that removes itself: its absence is no loss.
	Done bool `json:"done,omitempty"`
}

// Loaded is a stored inventory with the content it was applied from.
type Loaded struct {
	Inventory Inventory
	// Item is nil if the content could not be read; it is fetched again then.
	Item *Item
}

// Saved is everything an agent finds when it starts.
type Saved struct {
	Journal Journal
	Bundles []Loaded
}

// Item is what the core must know of a content item.
type Item struct {
	ID      content.ID
	Options content.Options
	Objects []Desired
	// Refusal says why nothing of it can be applied; empty if it can.
	Refusal string
}

// Desired is one wanted object without its manifest.
type Desired struct {
	Key     content.Key
	Version string
	Role    content.Role
	// Hash of the manifest and of what else makes the agent send it again.
	Hash string
	// Exempt is true if the object is left out of drift altogether.
	Exempt bool
	// Plain is true for a release namespace that says nothing but its name: if
	// it exists, nothing is sent.
	Plain bool
}
