package content

import (
	"context"
	"errors"
)

// ErrNotFound says that a live read found no such item.
var ErrNotFound = errors.New("content not found")

// Blob is one item of a pack.
type Blob struct {
	Kind Kind
	ID   ID
	// Identity is the digest with volatile values blanked; equal to ID when nothing is volatile.
	Identity ID
	Data     []byte
}

// Pack is a set of items stored together: one per bundle generation, so that
// variants that differ in a name cost bytes (they share one zstd window).
type Pack struct {
	// Workspace that owns the pack; items are never shared across workspaces.
	Workspace string
	// Bundle the pack was made for, for people and for garbage collection.
	Bundle string
	Blobs  []Blob
}

// Store keeps packs. Put is idempotent: equal packs are stored once.
type Store interface {
	Put(ctx context.Context, p Pack) error
	// Get returns an item's bytes, or ErrNotFound after a live read.
	Get(ctx context.Context, workspace string, id ID) ([]byte, error)
	// Has tells whether the item is known without reading it.
	Has(workspace string, id ID) bool
}
