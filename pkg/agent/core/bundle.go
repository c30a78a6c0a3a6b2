package core

import (
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// bundle is everything the core knows of one bundle on this cluster.
type bundle struct {
	uid, workspace, name string
	// entry and removal are what the obeyed document says; at most one is set, none = unassigned.
	entry          *protocol.Entry
	removal        *protocol.Removal
	paused, retain bool

	// unwanted is set while nothing of item is wanted, since the bundle is being removed.
	unwanted bool
	// item is the newest content that could be loaded; its ID may be behind entry.Content.
	item     *Item
	fetching content.ID
	failure  string
	tries    int
	retryAt  time.Time
	// admission is whether the release namespace lets the bundle act.
	admission admission

	objects map[content.Key]*object
	// order holds the wanted keys first, in apply order, then what only the inventory lists.
	order []content.Key
	// generation and content that were applied last.
	generation int64
	content    content.ID

	// version counts changes of the inventory, durable is the newest that is stored.
	version, durable uint64
	writing          bool
	writingVersion   uint64
	writingEntries   []Entry
	writeTries       int
	writeAt          time.Time
	stored           bool
	dropping         bool

	// working means that more will come by itself, at once.
	working bool
	report  protocol.BundleReport
}

func newBundle(uid, workspace, name string) *bundle {
	return &bundle{uid: uid, workspace: workspace, name: name, objects: map[content.Key]*object{}}
}

// adopt makes item the wanted set. An object that is unchanged keeps its
// state; a key that left stays listed until it is pruned.
func (b *bundle) adopt(item *Item) {
	b.item, b.failure, b.tries, b.unwanted = item, "", 0, false
	b.readmit()
	for _, o := range b.objects {
		o.want = nil
	}
	b.order = b.order[:0]
	for i := range item.Objects {
		b.want(&item.Objects[i])
	}
	b.appendUnwanted()
}

func (b *bundle) want(d *Desired) {
	if d.Role == content.RoleReleaseNamespace && protected(d.Key) {
		return // default and kube-* are always there
	}
	o, ok := b.objects[d.Key]
	if !ok {
		o = &object{Entry: Entry{Key: d.Key, Version: d.Version, Role: d.Role}}
		b.objects[d.Key] = o
	}
	if o.want != nil {
		return // a duplicate key: the first one counts, as the hub decided
	}
	o.want, o.attempted, o.blocked = d, false, ""
	o.tries, o.retryAt, o.failure = 0, time.Time{}, Failure{} // of other content, which may be what failed
	b.order = append(b.order, d.Key)
}

// appendUnwanted lists what left the manifests after what is wanted; what was
// never listed is nobody's and is forgotten.
func (b *bundle) appendUnwanted() {
	var rest []content.Key
	for k, o := range b.objects {
		switch {
		case o.want != nil:
		case o.listed || o.busy:
			o.unwant()
			rest = append(rest, k)
		default:
			delete(b.objects, k)
		}
	}
	slices.Sort(rest)
	b.order = append(b.order, rest...)
}

// unwant makes a key that was never answered be read live before it is
// judged: its apply may have happened although nobody heard of it.
func (o *object) unwant() {
	o.want = nil
	if o.UID == "" {
		o.surveyed = false
	}
}

// restore fills the inventory from what was stored, the newest last.
func (b *bundle) restore(entries []Entry, durable bool) {
	for _, e := range entries {
		o, ok := b.objects[e.Key]
		if !ok {
			o = &object{}
			b.objects[e.Key] = o
			b.order = append(b.order, e.Key)
		}
		o.Entry, o.listed, o.durable = e, true, durable
	}
}

// generationChanged makes objects that are missing come back: they are new or
// missing at a new generation.
func (b *bundle) generationChanged() {
	for _, o := range b.objects {
		if o.missing && o.want != nil {
			o.again, o.retryAt = true, time.Time{}
		}
	}
}

// current tells whether the wanted content is loaded.
func (b *bundle) current() bool {
	return b.entry != nil && b.item != nil && string(b.item.ID) == b.entry.Content
}

// acts tells whether anything may be applied or corrected for the bundle.
func (b *bundle) acts() bool { return b.ready() && b.admitted() }

// ready tells whether it could be, if its namespace is as it must be.
func (b *bundle) ready() bool {
	return b.removal == nil && !b.unwanted && b.current() && !b.paused && b.item.Refusal == ""
}

// inventory returns the value that is stored.
func (b *bundle) inventory() Inventory {
	inv := Inventory{Version: StateVersion, UID: b.uid, Workspace: b.workspace, Bundle: b.name, Generation: b.generation, Content: b.content}
	for _, k := range b.order {
		if o := b.objects[k]; o != nil && o.listed {
			inv.Entries = append(inv.Entries, o.entry())
		}
	}
	return inv
}

// listed counts the inventory's entries.
func (b *bundle) listed() int {
	n := 0
	for _, o := range b.objects {
		if o.listed {
			n++
		}
	}
	return n
}

// busy tells whether an answer is outstanding.
func (b *bundle) busy() bool {
	for _, o := range b.objects {
		if o.busy {
			return true
		}
	}
	return false
}

// touch records that the inventory changed and has to be stored.
func (b *bundle) touch() { b.version++ }
