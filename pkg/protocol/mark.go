package protocol

import "fmt"

// Mark is how far an agent is: the newest document it obeyed. Signature is
// that document's compact JWS, which proves the rest.
type Mark struct {
	Assignment string `json:"assignment,omitempty"`
	Epoch      int64  `json:"epoch"`
	Revision   int64  `json:"revision"`
	Signature  string `json:"signature,omitempty"`
}

// Less tells whether m is older than o. Marks of different assignments are
// compared by epoch and revision too: both only ever grow for one cluster, so
// an older number in a new assignment means that the hub forgot something.
func (m Mark) Less(o Mark) bool {
	if m.Epoch != o.Epoch {
		return m.Epoch < o.Epoch
	}
	return m.Revision < o.Revision
}

// Equal tells whether both speak of the same document.
func (m Mark) Equal(o Mark) bool {
	return m.Assignment == o.Assignment && m.Epoch == o.Epoch && m.Revision == o.Revision
}

// IsZero tells whether no document was obeyed yet.
func (m Mark) IsZero() bool { return m.Assignment == "" && m.Epoch == 0 && m.Revision == 0 }

// ETag is the mark as an HTTP entity tag.
func (m Mark) ETag() string { return fmt.Sprintf("%q", m.String()) }

// String is assignment/epoch/revision.
func (m Mark) String() string { return fmt.Sprintf("%s/%d/%d", m.Assignment, m.Epoch, m.Revision) }

// Mark returns the header's mark, without a signature.
func (h Header) Mark() Mark {
	return Mark{Assignment: h.Assignment, Epoch: h.Epoch, Revision: h.Revision}
}
