package inventory

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/items"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/content"
)

// journalName is the Secret with the mark, the document and the claims.
const journalName = "muster-agent-journal"

// state is what one bundle's Secret holds.
type state struct {
	Inventory core.Inventory `json:"inventory"`
	// Item is the content that was applied last, compressed.
	Item []byte `json:"item,omitempty"`
}

// Store keeps the agent's state.
type Store struct {
	secrets *secrets
	shelf   *items.Shelf
}

// NewStore returns the store in the client's namespace; contents go to shelf.
func NewStore(client *kube.Client, shelf *items.Shelf) *Store {
	return &Store{secrets: newSecrets(client), shelf: shelf}
}

// WriteJournal stores the journal.
func (s *Store) WriteJournal(ctx context.Context, j core.Journal) error {
	data, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode journal: %w", err)
	}
	return s.secrets.put(ctx, journalName, "journal", s.shelf.Pack(data))
}

// Write stores one bundle's inventory with the content it was applied from.
func (s *Store) Write(ctx context.Context, inv core.Inventory) error {
	st := state{Inventory: inv}
	if packed, ok := s.shelf.Packed(inv.Content); ok {
		st.Item = packed
	}
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encode state of bundle %s/%s: %w", inv.Workspace, inv.Bundle, err)
	}
	return s.secrets.put(ctx, stateName(inv.UID), "bundle", s.shelf.Pack(data))
}

// Drop forgets one bundle's inventory.
func (s *Store) Drop(ctx context.Context, uid string) error {
	return s.secrets.remove(ctx, stateName(uid))
}

func stateName(uid string) string { return "muster-bundle-" + uid }

// Found is what a start finds.
type Found struct {
	core.Saved
	// Fresh is true if there is no journal: a first start, or everything was lost.
	Fresh bool
	// Lost are uids whose state should be there and is not.
	Lost []string
}

// Load reads everything.
func (s *Store) Load(ctx context.Context) (Found, error) {
	blobs, err := s.secrets.all(ctx)
	if err != nil {
		return Found{}, err
	}
	f := Found{Fresh: true}
	there := map[string]bool{}
	for _, b := range blobs {
		if err := s.take(&f, there, b); err != nil {
			return Found{}, err
		}
	}
	for _, uid := range f.Journal.Heads {
		if !there[uid] {
			f.Lost = append(f.Lost, uid)
		}
	}
	return f, nil
}

func (s *Store) take(f *Found, there map[string]bool, b blob) error {
	data, err := s.shelf.Unpack(b.data)
	if err != nil {
		return nil // a state that cannot be read counts as lost and is rebuilt from the cluster
	}
	if b.kind == "journal" {
		if err := json.Unmarshal(data, &f.Journal); err != nil {
			return fmt.Errorf("decode journal: %w", err)
		}
		f.Fresh = false
		return newer("journal", f.Journal.Version)
	}
	var st state
	if err := json.Unmarshal(data, &st); err != nil {
		return fmt.Errorf("decode state %s: %w", b.name, err)
	}
	there[st.Inventory.UID] = true
	f.Bundles = append(f.Bundles, core.Loaded{Inventory: st.Inventory, Item: s.item(st)})
	return newer(b.name, st.Inventory.Version)
}

func newer(name string, version int) error {
	if version > core.StateVersion {
		return fmt.Errorf("%s was written by a newer agent (version %d, this one reads %d): upgrade the agent", name, version, core.StateVersion)
	}
	return nil
}

// item unpacks a stored content; one that cannot be read is fetched again.
func (s *Store) item(st state) *core.Item {
	if len(st.Item) == 0 {
		return nil
	}
	item, err := s.shelf.Restore(content.ID(st.Inventory.Content), st.Item)
	if err != nil {
		return nil
	}
	return item
}
