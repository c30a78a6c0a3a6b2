package core

import (
	"time"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Ready is what is due now. Every effect is answered by one event; until then
// the core does not ask for it again.
type Ready struct {
	Fetch   []Fetch
	Admit   []Admit
	Survey  []Survey
	Journal *JournalWrite
	Apply   []Apply
	Delete  []Delete
	Write   []StateWrite
	Drop    []StateDrop
	Report  *protocol.Report
	// Wake is when Ready wants to be called again without an event; zero = not.
	Wake time.Time
}

// Fetch asks for a content item.
type Fetch struct {
	Bundle  string
	Content content.ID
}

// Admit asks whether a namespace exists and has the labels that a selector, in
// kubectl's notation, wants.
type Admit struct{ Bundle, Namespace, Selector string }

// Survey asks for a live read of a key.
type Survey struct {
	Key     content.Key
	Version string
	// Whole asks for the object with its values, not only for whose it is.
	Whole bool
	// Content and Manager that the values are compared with, if there is one.
	Content content.ID
	Manager string
}

// JournalWrite asks for the journal to be stored.
type JournalWrite struct {
	Sequence uint64
	Journal  Journal
}

// Apply asks for one server-side apply.
type Apply struct {
	Bundle, Intent string
	Key            content.Key
	Content        content.ID
	Hash           string
	Role           content.Role
	ServiceAccount string
}

// Delete asks for one delete with a uid precondition.
type Delete struct {
	Bundle  string
	Key     content.Key
	Version string
	UID     string
	// Check asks the shell to look whether others would lose something first: namespaces and CRDs.
	Check          bool
	ServiceAccount string
}

// StateWrite asks for one bundle's inventory to be stored.
type StateWrite struct {
	Sequence  uint64
	Inventory Inventory
}

// StateDrop asks for a stored inventory to be forgotten.
type StateDrop struct {
	Bundle   string
	Sequence uint64
}
