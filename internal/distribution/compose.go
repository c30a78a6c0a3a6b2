package distribution

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Verdict says what is known of a bundle on one cluster.
type Verdict string

// The verdicts. Only NotWanted may remove anything.
const (
	Wanted    Verdict = "Wanted"
	NotWanted Verdict = "NotWanted" // known: the bundle exists, or existed until now, and does not want this cluster
	Unknown   Verdict = "Unknown"   // its wants could not be read; what was assigned stays
	HeldLoss  Verdict = "HeldLoss"  // not wanted, and the removal waits for approval
)

// BundleWant is one bundle's say about one cluster.
type BundleWant struct {
	Workspace, Bundle, UID string
	Verdict                Verdict
	Generation             int64
	Content                content.ID
	// Paused freezes what the cluster has of this bundle.
	Paused bool
	// Retain suspends pruning.
	Retain bool
	// Keep, DeleteNamespace and DeleteCRDs say how a removal treats objects.
	Keep, DeleteNamespace, DeleteCRDs bool
}

// Acknowledged is what the cluster's newest report says, as far as composing needs it.
type Acknowledged struct {
	Assignment string
	Epoch      int64
	Revision   int64
	// Heads are the inventories that the obeyed document did not list.
	Heads []protocol.Head
	// Unsettled are bundles (uids) that are not Ready at that revision.
	Unsettled map[string]bool
	// More says that further bundles are not Ready, without naming them.
	More bool
}

// ComposeInput is everything one cluster's document depends on.
type ComposeInput struct {
	Hub, Cluster, Assignment string
	Epoch                    int64
	// Previous is the stored document; nil for a cluster that never had one.
	Previous *protocol.Document
	Wants    []BundleWant
	Report   *Acknowledged
	Trust    protocol.TrustSet
	// Keys lists the ordinary objects of a content id.
	Keys func(workspace string, id content.ID) ([]content.Key, error)
}

// Composed is a document and whether it differs from the previous one in meaning.
type Composed struct {
	Document protocol.Document
	Changed  bool
	// Unassigned are heads that are not wanted and may not be removed.
	Unassigned []protocol.Head
	// NeedsContent is set when the entries go to a content item of their own.
	EntryList *protocol.EntryList
}

// Compose builds the whole document of one cluster from stored values. The
// same values give the same document; a document equal in meaning to the
// previous one is not Changed, whatever its revision.
func Compose(in ComposeInput) (Composed, error) {
	c := composition{in: in, next: protocol.Document{
		Version: protocol.Version, Hub: in.Hub, Cluster: in.Cluster, Assignment: in.Assignment,
		Epoch: in.Epoch, Revision: 1, Trust: in.Trust,
	}}
	if in.Previous != nil {
		c.next.Revision = in.Previous.Revision + 1
	}
	c.previous = entriesByUID(in.Previous)
	// Which bundles run here, and which of them may not be touched.
	c.entries()
	// Inventories to be removed: level-based, from the previous document and the report.
	c.removals()
	// Keys that move between bundles are never deleted on the way.
	if err := c.handovers(); err != nil {
		return Composed{}, err
	}
	c.sort()
	return c.result()
}

type composition struct {
	in         ComposeInput
	next       protocol.Document
	previous   map[string]protocol.Entry
	unassigned []protocol.Head
}

func entriesByUID(d *protocol.Document) map[string]protocol.Entry {
	out := map[string]protocol.Entry{}
	if d == nil {
		return out
	}
	for _, e := range d.Entries {
		out[e.UID] = e
	}
	return out
}

func (c *composition) entries() {
	said := map[string]bool{}
	for _, w := range c.in.Wants {
		said[w.UID] = true
		old, had := c.previous[w.UID]
		switch {
		case w.Verdict == Unknown && had:
			c.next.Entries = append(c.next.Entries, old)
		case w.Verdict == Wanted && w.Paused && had:
			c.next.Entries = append(c.next.Entries, old)
		case w.Verdict == Wanted && !w.Paused:
			c.next.Entries = append(c.next.Entries, c.entryFor(w, old, had))
		}
		if w.Verdict == Wanted && w.Paused {
			c.next.Paused = append(c.next.Paused, w.UID)
		}
		if w.Verdict == Wanted && w.Retain {
			c.next.Retain = append(c.next.Retain, w.UID)
		}
	}
	// A bundle nobody speaks of is not known to be unwanted: it keeps its entry.
	for uid, old := range c.previous {
		if !said[uid] {
			c.next.Entries = append(c.next.Entries, old)
		}
	}
}

func (c *composition) entryFor(w BundleWant, old protocol.Entry, had bool) protocol.Entry {
	e := protocol.Entry{
		Workspace: w.Workspace, Bundle: w.Bundle, UID: w.UID,
		Generation: w.Generation, Content: string(w.Content), Revision: c.next.Revision,
	}
	if had && old.Generation == e.Generation && old.Content == e.Content {
		e.Revision = old.Revision
	}
	return e
}

func (c *composition) removals() {
	verdicts := map[string]BundleWant{}
	for _, w := range c.in.Wants {
		verdicts[w.UID] = w
	}
	done := map[string]bool{}
	for _, e := range c.next.Entries {
		done[e.UID] = true
	}
	if c.in.Previous != nil {
		for _, r := range c.in.Previous.Removals {
			if !done[r.UID] && !c.confirmedGone(r) {
				c.next.Removals = append(c.next.Removals, r)
			}
			done[r.UID] = true
		}
		for uid, e := range c.previous {
			if !done[uid] {
				c.remove(verdicts[uid], protocol.Head{UID: uid, Workspace: e.Workspace, Bundle: e.Bundle, Generation: e.Generation})
			}
			done[uid] = true
		}
	}
	if c.in.Report == nil {
		return
	}
	for _, h := range c.in.Report.Heads {
		if !done[h.UID] {
			c.remove(verdicts[h.UID], h)
		}
		done[h.UID] = true
	}
}

// remove adds a removal where the verdict allows it; otherwise the head stays unassigned.
func (c *composition) remove(w BundleWant, h protocol.Head) {
	if w.Verdict != NotWanted {
		c.unassigned = append(c.unassigned, h)
		return
	}
	c.next.Removals = append(c.next.Removals, protocol.Removal{
		UID: h.UID, Workspace: h.Workspace, Bundle: h.Bundle, Revision: c.next.Revision,
		Keep: w.Keep, DeleteNamespace: w.DeleteNamespace, DeleteCRDs: w.DeleteCRDs,
	})
}

// confirmedGone says that the cluster obeyed a document with the removal and
// reports no such inventory any more.
func (c *composition) confirmedGone(r protocol.Removal) bool {
	if !c.acknowledged(r.Revision) {
		return false
	}
	for _, h := range c.in.Report.Heads {
		if h.UID == r.UID {
			return false
		}
	}
	return true
}

func (c *composition) acknowledged(revision int64) bool {
	r := c.in.Report
	return r != nil && r.Assignment == c.in.Assignment && r.Epoch == c.in.Epoch && r.Revision >= revision
}

// handovers finds keys that leave one bundle and are wanted by another. Only
// bundles that lose keys are looked at, so an ordinary edit reads two indexes.
func (c *composition) handovers() error {
	leaving, err := c.leavingKeys()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	if c.in.Previous != nil {
		for _, h := range c.in.Previous.Handovers {
			if c.stillMoving(h) {
				c.next.Handovers = append(c.next.Handovers, h)
				seen[h.Key] = true
			}
		}
	}
	if len(leaving) == 0 {
		return nil
	}
	owners, err := c.ownersOf(leaving)
	if err != nil {
		return err
	}
	for key, from := range leaving {
		to, ok := owners[key]
		if ok && to != from && !seen[string(key)] {
			c.next.Handovers = append(c.next.Handovers, protocol.Handover{Key: string(key), From: from, To: to, Revision: c.next.Revision})
		}
	}
	return nil
}

// leavingKeys maps every key that some bundle had here and has no more to that bundle.
func (c *composition) leavingKeys() (map[content.Key]string, error) {
	leaving := map[content.Key]string{}
	now := map[string]protocol.Entry{}
	for _, e := range c.next.Entries {
		now[e.UID] = e
	}
	for uid, old := range c.previous {
		e, still := now[uid]
		if still && e.Content == old.Content {
			continue
		}
		had, err := c.in.Keys(old.Workspace, content.ID(old.Content))
		if err != nil {
			return nil, fmt.Errorf("index of bundle %s/%s before the change: %w", old.Workspace, old.Bundle, err)
		}
		keeps := map[content.Key]bool{}
		if still {
			have, err := c.in.Keys(e.Workspace, content.ID(e.Content))
			if err != nil {
				return nil, fmt.Errorf("index of bundle %s/%s: %w", e.Workspace, e.Bundle, err)
			}
			for _, k := range have {
				keeps[k] = true
			}
		}
		for _, k := range had {
			if !keeps[k] {
				leaving[k] = uid
			}
		}
	}
	return leaving, nil
}

// ownersOf finds which bundle of the new document wants each of the keys; where
// several do, the one that had it before, else the first by uid.
func (c *composition) ownersOf(keys map[content.Key]string) (map[content.Key]string, error) {
	owners := map[content.Key]string{}
	for _, e := range c.next.Entries {
		have, err := c.in.Keys(e.Workspace, content.ID(e.Content))
		if err != nil {
			return nil, fmt.Errorf("index of bundle %s/%s: %w", e.Workspace, e.Bundle, err)
		}
		for _, k := range have {
			if _, ok := keys[k]; !ok {
				continue
			}
			if old, taken := owners[k]; !taken || e.UID < old {
				owners[k] = e.UID
			}
		}
	}
	return owners, nil
}

// stillMoving keeps a handover until the cluster obeyed a document with it and
// both bundles are settled; a handover whose receiver is gone is withdrawn.
func (c *composition) stillMoving(h protocol.Handover) bool {
	receiverRuns := false
	for _, e := range c.next.Entries {
		receiverRuns = receiverRuns || e.UID == h.To
	}
	if !receiverRuns {
		return false
	}
	if !c.acknowledged(h.Revision) {
		return true
	}
	if c.in.Report.More || c.in.Report.Unsettled[h.To] || c.in.Report.Unsettled[h.From] {
		return true
	}
	for _, head := range c.in.Report.Heads {
		if head.UID == h.From {
			return true
		}
	}
	return false
}

func (c *composition) sort() {
	d := &c.next
	sort.Slice(d.Entries, func(i, j int) bool {
		a, b := d.Entries[i], d.Entries[j]
		if a.Workspace != b.Workspace {
			return a.Workspace < b.Workspace
		}
		if a.Bundle != b.Bundle {
			return a.Bundle < b.Bundle
		}
		return a.UID < b.UID
	})
	sort.Slice(d.Removals, func(i, j int) bool { return d.Removals[i].UID < d.Removals[j].UID })
	sort.Slice(d.Handovers, func(i, j int) bool { return d.Handovers[i].Key < d.Handovers[j].Key })
	sort.Slice(c.unassigned, func(i, j int) bool { return c.unassigned[i].UID < c.unassigned[j].UID })
	sort.Strings(d.Retain)
	sort.Strings(d.Paused)
}

func (c *composition) result() (Composed, error) {
	out := Composed{Document: c.next, Unassigned: c.unassigned}
	same, err := equalMeaning(c.in.Previous, c.next)
	if err != nil {
		return Composed{}, err
	}
	out.Changed = !same
	if same {
		out.Document = *c.in.Previous
		return out, nil
	}
	if len(c.next.Entries) > protocol.MaxEntries {
		out.EntryList = &protocol.EntryList{Version: protocol.Version, Entries: c.next.Entries}
	}
	return out, nil
}

// equalMeaning compares documents without their revision.
func equalMeaning(previous *protocol.Document, next protocol.Document) (bool, error) {
	if previous == nil {
		return false, nil
	}
	a, b := *previous, next
	a.Revision, b.Revision = 0, 0
	a.EntriesRef, b.EntriesRef = "", ""
	left, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("compare documents: %w", err)
	}
	right, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("compare documents: %w", err)
	}
	return string(left) == string(right), nil
}
