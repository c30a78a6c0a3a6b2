package gateway

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// posted is the document of one cluster as it is stored: bytes that were signed, never rebuilt.
type posted struct {
	envelope protocol.Envelope
	mark     protocol.Mark
	// cluster is the identity that the document was signed for.
	cluster string
}

// post reads an Assignment. One that was never composed is the zero value, as
// is one whose signature cannot be read: what it says is what counts.
func post(a *v1alpha1.Assignment) posted {
	h, err := protocol.PeekHeader(a.Spec.Signature)
	if err != nil || a.Spec.Document == "" {
		return posted{}
	}
	return posted{
		envelope: protocol.Envelope{Signature: a.Spec.Signature, Document: a.Spec.Document},
		mark:     h.Mark(),
		cluster:  h.Cluster,
	}
}

// post reads an Assignment and adds what agents need that still trust lost hub keys.
func (g *Gateway) post(a *v1alpha1.Assignment) posted {
	p := post(a)
	if !p.empty() {
		p.envelope.Recovery = g.key.recovered
	}
	return p
}

// to returns the document if it was signed for this caller: a cluster that was
// removed and joined again under its name has another identity.
func (p posted) to(c *caller) posted {
	if p.cluster != c.identity {
		return posted{}
	}
	return p
}

func (p posted) empty() bool { return p.envelope.Document == "" }

// board holds the newest document of each cluster, fed by informer events, and
// what a cluster's documents referenced within the last hour.
type board struct {
	now func() time.Time
	mu  sync.Mutex
	// slots by object name, guarded by mu, as is what they hold.
	slots map[string]*slot
}

type slot struct {
	posted
	// dropped are content ids that left the document, and the inputs of source items: until when they are served.
	dropped map[content.ID]time.Time
	// lists are the entry lists of a large document: the current one and its last predecessors.
	lists []entryList
	// changed is closed and replaced when the document changes.
	changed chan struct{}
}

// entryList is the text of a protocol.EntryList.
type entryList struct {
	id    content.ID
	text  string
	until time.Time
}

const (
	// maxLists bounds the entry lists remembered for one cluster.
	maxLists = 3
	// recentFor is how long content is served after it left a document.
	recentFor = time.Hour
	// maxRecent bounds what is remembered for one cluster.
	maxRecent = 2000
)

func newBoard(now func() time.Time) *board { return &board{now: now, slots: map[string]*slot{}} }

func (b *board) slotLocked(name string) *slot {
	s := b.slots[name]
	if s == nil {
		s = &slot{changed: make(chan struct{})}
		b.slots[name] = s
	}
	return s
}

// put replaces a cluster's document.
func (b *board) put(name string, p posted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slotLocked(name)
	if s.envelope == p.envelope {
		return
	}
	if p.cluster != s.cluster && p.cluster != "" {
		s.dropped, s.lists = nil, nil // another identity, another history
	} else {
		s.remember(gone(s.envelope.Document, p.envelope.Document), b.now())
	}
	for i := range s.lists {
		s.lists[i].until = b.now().Add(recentFor)
	}
	if p.cluster == "" {
		p.cluster = s.cluster // deleted, not handed on: recent content stays available
	}
	s.posted = p
	close(s.changed)
	s.changed = make(chan struct{})
}

// get returns a caller's document and a channel that is closed when it changes.
func (b *board) get(c *caller) (posted, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slotLocked(objectName(c.name))
	return s.posted.to(c), s.changed
}

func (b *board) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.slots[name]; s != nil {
		delete(b.slots, name)
		close(s.changed) // whoever waits looks again
	}
}

// names tells whether a caller may fetch id: its document names it, or did
// within the last hour, itself or through its entry list.
func (b *board) names(c *caller, id content.ID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slots[objectName(c.name)]
	if s == nil || s.cluster != c.identity {
		return false
	}
	if names(s.envelope.Document, id) || b.now().Before(s.dropped[id]) {
		return true
	}
	current, _ := listOf(s.envelope.Document)
	for _, l := range s.lists {
		if (l.id == current || b.now().Before(l.until)) && names(l.text, id) {
			return true
		}
	}
	return false
}

// workspaces lists the workspaces of the bundles that a caller's document names.
func (b *board) workspaces(c *caller) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slots[objectName(c.name)]
	if s == nil || s.cluster != c.identity {
		return nil
	}
	found := map[string]bool{}
	workspacesIn(s.envelope.Document, found)
	for _, l := range s.lists {
		workspacesIn(l.text, found)
	}
	return slices.Sorted(maps.Keys(found))
}

// list returns an entry list that was learnt.
func (b *board) list(name string, id content.ID) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.slotLocked(name).lists {
		if l.id == id {
			return l.text, true
		}
	}
	return "", false
}

// learn remembers an entry list for as long as it is current, and an hour.
func (b *board) learn(name string, id content.ID, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.slotLocked(name)
	for _, l := range s.lists {
		if l.id == id {
			return
		}
	}
	s.lists = append(s.lists, entryList{id: id, text: text, until: b.now().Add(recentFor)})
	if len(s.lists) > maxLists {
		s.lists = append([]entryList(nil), s.lists[1:]...)
	}
}

// allow lets a cluster fetch ids for the next hour.
func (b *board) allow(name string, ids ...content.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slotLocked(name).remember(ids, b.now())
}

func (s *slot) remember(ids []content.ID, now time.Time) {
	if len(ids) == 0 {
		return
	}
	for id, until := range s.dropped {
		if now.After(until) {
			delete(s.dropped, id)
		}
	}
	if s.dropped == nil {
		s.dropped = map[content.ID]time.Time{}
	}
	for _, id := range ids {
		if len(s.dropped) < maxRecent {
			s.dropped[id] = now.Add(recentFor)
		}
	}
}

// gone lists the content ids of one document that another lacks.
func gone(before, after string) []content.ID {
	if before == "" {
		return nil
	}
	kept := map[content.ID]bool{}
	for _, id := range references(after) {
		kept[id] = true
	}
	var ids []content.ID
	for _, id := range references(before) {
		if !kept[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// The ways a document names content. Documents are our own canonical JSON, in
// which a quote within a text is escaped, so that no text can look like these;
// searching costs a tenth of parsing and no garbage.
const (
	entryReference = `"c":"`
	listReference  = `"entriesRef":"`
	// workspaceOf starts the workspace of an entry, a removal or a head.
	workspaceOf = `"w":"`
)

// idLength is that of a base64url SHA-256.
const idLength = 43

// references lists the content ids that a document or an entry list names.
func references(text string) []content.ID {
	var ids []content.ID
	for _, start := range []string{entryReference, listReference} {
		for rest := text; ; {
			_, after, found := strings.Cut(rest, start)
			if !found || len(after) <= idLength {
				break
			}
			if after[idLength] == '"' {
				ids = append(ids, content.ID(after[:idLength]))
			}
			rest = after
		}
	}
	return ids
}

// workspacesIn adds the workspaces that a document or an entry list names.
func workspacesIn(text string, found map[string]bool) {
	for {
		_, after, ok := strings.Cut(text, workspaceOf)
		if !ok {
			return
		}
		name, rest, ok := strings.Cut(after, `"`)
		if !ok {
			return
		}
		found[name], text = true, rest
	}
}

// listOf returns the entry list that a large document names.
func listOf(document string) (content.ID, bool) {
	_, after, found := strings.Cut(document, listReference)
	if !found || len(after) <= idLength || after[idLength] != '"' {
		return "", false
	}
	return content.ID(after[:idLength]), true
}

// names tells whether a document or an entry list names id.
func names(text string, id content.ID) bool {
	return len(id) == idLength &&
		(strings.Contains(text, entryReference+string(id)+`"`) || strings.Contains(text, listReference+string(id)+`"`))
}

func (g *Gateway) assignmentSet(a *v1alpha1.Assignment) {
	if a.Namespace == g.opts.Namespace {
		g.board.put(a.Name, g.post(a))
	}
}

func (g *Gateway) assignmentGone(a *v1alpha1.Assignment) {
	if a.Namespace == g.opts.Namespace {
		g.board.put(a.Name, posted{})
	}
}
