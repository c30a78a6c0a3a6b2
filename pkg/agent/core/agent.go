package core

import (
	"maps"
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// MaxInFlight bounds the applies and deletes that are asked for at once, so
// that a newer document supersedes an older one soon.
const MaxInFlight = 64

// Agent is the state machine. It is not safe for concurrent use.
type Agent struct {
	cluster string
	mark    Mark
	retired []string
	doc     *protocol.Document
	bundles map[string]*bundle
	// holders finds the bundles whose inventory lists a key.
	holders map[content.Key][]*bundle
	// wanters finds the bundles whose content wants a key.
	wanters map[content.Key][]*bundle
	dirty   map[string]bool
	// handovers of the obeyed document by key.
	handovers map[content.Key][]protocol.Handover
	frozen    bool
	notices   map[string]string

	gather    gathering
	inFlight  int
	sequence  uint64
	reporting reporting
}

// gathering is the stage between a document and its first effect.
type gathering struct {
	// pending is set when a document was accepted, until its contents are there; deadline is how long that may hold others up.
	pending  bool
	deadline time.Time
	// surveying are the keys that are being read before they are claimed.
	surveying map[content.Key]bool
	// needed says that the journal lacks something; writing is its sequence number.
	needed  bool
	writing uint64
	planned []claimed
	// mark is the one being written, durable the newest that is stored.
	mark, durable Mark
	// written counts the journals that were asked for.
	written           uint64
	retryAt, failedAt time.Time
	tries             int
}

// claimed is an entry as a journal that is being written has it.
type claimed struct {
	object *object
	entry  Entry
}

// New returns an agent for the cluster with this uid, as it was saved.
func New(cluster string, s Saved) *Agent {
	a := &Agent{
		cluster: cluster, mark: s.Journal.Mark, retired: s.Journal.Retired,
		bundles: map[string]*bundle{}, holders: map[content.Key][]*bundle{}, wanters: map[content.Key][]*bundle{},
		dirty: map[string]bool{}, handovers: map[content.Key][]protocol.Handover{}, notices: map[string]string{},
	}
	for _, l := range s.Bundles {
		a.restore(l)
	}
	a.restoreIntents(s)
	a.index()
	a.gather.surveying = map[content.Key]bool{}
	a.gather.durable = a.mark
	if s.Journal.Document != nil {
		a.obey(s.Journal.Document)
	}
	a.reporting.due, a.reporting.blind = true, len(a.holders) > 0
	return a
}

func (a *Agent) restore(l Loaded) {
	inv := l.Inventory
	b := a.bundle(inv.UID, inv.Workspace, inv.Bundle)
	b.restore(inv.Entries, true)
	b.generation, b.content, b.stored = inv.Generation, inv.Content, true
	if l.Item != nil {
		b.adopt(l.Item)
		for _, o := range b.objects {
			o.attempted = o.applied()
		}
	}
}

// restoreIntents adds the claims of the journal, but for those of a bundle
// whose state was stored later: it knows what became of them.
func (a *Agent) restoreIntents(s Saved) {
	newest := map[string]uint64{}
	for _, l := range s.Bundles {
		newest[l.Inventory.UID] = l.Inventory.Journal
	}
	for _, inv := range s.Journal.Intents {
		if newest[inv.UID] < s.Journal.Sequence {
			a.bundle(inv.UID, inv.Workspace, inv.Bundle).restore(inv.Entries, true)
		}
	}
	a.gather.written = s.Journal.Sequence
	for _, sequence := range newest {
		a.gather.written = max(a.gather.written, sequence) // never counted twice
	}
}

// index rebuilds the reverse lookups from the inventories.
func (a *Agent) index() {
	for _, uid := range slices.Sorted(maps.Keys(a.bundles)) {
		b := a.bundles[uid]
		for k, o := range b.objects {
			if o.listed {
				a.holders[k] = append(a.holders[k], b)
			}
		}
		a.indexWants(b)
	}
}

func (a *Agent) indexWants(b *bundle) {
	if b.item == nil {
		return
	}
	for _, d := range b.item.Objects {
		if !slices.Contains(a.wanters[d.Key], b) {
			a.wanters[d.Key] = append(a.wanters[d.Key], b)
		}
	}
}

func (a *Agent) unindexWants(b *bundle) {
	if b.item == nil {
		return
	}
	for _, d := range b.item.Objects {
		remove(a.wanters, d.Key, b)
	}
}

func remove(m map[content.Key][]*bundle, k content.Key, b *bundle) {
	rest := make([]*bundle, 0, len(m[k])) // a new slice: the old one may be ranged over
	for _, x := range m[k] {
		if x != b {
			rest = append(rest, x)
		}
	}
	if len(rest) == 0 {
		delete(m, k)
		return
	}
	m[k] = rest
}

func (a *Agent) bundle(uid, workspace, name string) *bundle {
	b, ok := a.bundles[uid]
	if !ok {
		b = newBundle(uid, workspace, name)
		a.bundles[uid] = b
	}
	return b
}

// Mark returns how far the agent has come.
func (a *Agent) Mark() Mark { return a.mark }

// Document returns the document that is obeyed, nil before the first.
func (a *Agent) Document() *protocol.Document { return a.doc }

// Step takes one event.
func (a *Agent) Step(e Event) {
	switch e := e.(type) {
	case DocumentReceived:
		a.receive(e)
	case Refused:
		a.frozen = true
		a.notice("refused", e.Message)
	case Noticed:
		a.notice(e.Topic, e.Text)
	case ContentLoaded:
		a.loaded(e)
	case Admitted:
		a.decided(e)
	case Surveyed:
		a.surveyed(e)
	case JournalWritten:
		a.journalWritten(e)
	case Applied:
		a.applied(e)
	case Deleted:
		a.deleted(e)
	case StateWritten:
		a.stateWritten(e)
	case Observed:
		a.observed(e)
	case Vanished:
		a.vanished(e)
	case Listed:
		a.listed(e)
	case Synced:
		a.reporting.blind = false
		a.stirAll()
	case KindsChanged:
		a.kindsChanged()
	case ReportSent:
		a.reportSent(e)
	}
}

// Ready returns the effects that are due at now.
func (a *Agent) Ready(now time.Time) Ready {
	var r Ready
	a.awake(now)
	if !a.frozen {
		a.parkFailures(now)
		a.fetch(&r, now)
		a.admit(&r, now)
		a.claim(&r, now)
		a.act(&r, now)
		a.persist(&r, now)
	}
	a.judge(now)
	a.sendReport(&r, now)
	r.Wake = a.wake(now)
	return r
}

// awake marks the bundles dirty of which a timer is due. Linear in bundles and
// their failing objects, which are few.
func (a *Agent) awake(now time.Time) {
	for uid, b := range a.bundles {
		if t := b.timer(); !t.IsZero() && !t.After(now) {
			a.dirty[uid] = true
		}
	}
}

// parkFailures gives every new failure its time.
func (a *Agent) parkFailures(now time.Time) {
	for _, b := range a.dirtyBundles() {
		b.park(now)
	}
}

// wake returns the earliest time at which something is due.
func (a *Agent) wake(now time.Time) time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, b := range a.bundles {
		consider(b.timer())
	}
	if a.gather.pending {
		consider(a.gather.deadline)
	}
	consider(a.gather.retryAt)
	consider(a.reporting.at)
	return next
}

// timer is when the bundle wants to be looked at again.
func (b *bundle) timer() time.Time {
	next := b.retryAt
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	earlier(b.writeAt)
	earlier(b.admission.askAt)
	for _, o := range b.objects {
		earlier(o.retryAt)
	}
	return next
}

func (a *Agent) notice(topic, text string) {
	if a.notices[topic] == text {
		return
	}
	a.notices[topic] = text
	if text == "" {
		delete(a.notices, topic)
	}
	a.reporting.due = true
}

func (a *Agent) stir(b *bundle) { a.dirty[b.uid] = true }
