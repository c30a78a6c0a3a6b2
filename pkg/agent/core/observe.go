package core

import (
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// observed takes what a watch saw. Sights older than an apply's answer are
// dropped; what changed is judged in Ready.
func (a *Agent) observed(e Observed) {
	a.namespaceChanged(e.Key)
	for _, b := range a.holders[e.Key] {
		o := b.objects[e.Key]
		if o.live != nil && older(e.Live.Revision, o.live.Revision) {
			continue
		}
		a.sighted(b, o, e.Live)
	}
}

// sighted takes a sight of an object that exists.
func (a *Agent) sighted(b *bundle, o *object, l *Live) {
	a.stir(b)
	if o.UID == "" || o.busy {
		o.see(l)
		return
	}
	if l.Owner != "" && l.Owner != b.uid && !coOwned(o.Role) {
		a.lostTo(b, o)
		return
	}
	switch {
	case o.UID == l.UID:
		o.see(l)
		if o.Done != l.Done {
			o.Done = l.Done
			b.touch()
		}
	case !coOwned(o.Role) && l.Owner == b.uid && l.Intent == o.Intent:
		// Deleted and made again, with our claim on it: the identity is the new one.
		o.UID = l.UID
		o.see(l)
		b.touch()
	case o.want == nil:
		// Ours is gone; what is there now belongs to somebody else.
		a.drop(b, o)
	case coOwned(o.Role):
		o.UID, o.Created = l.UID, false
		o.see(l)
		b.touch()
	default:
		o.missing, o.live = true, nil
		o.conflict = a.conflict(b, o, l)
	}
}

// lostTo forgets an object that names another owner now. If it is still
// wanted, it is looked at anew: it is a conflict, or may be taken.
func (a *Agent) lostTo(b *bundle, o *object) {
	o.surveyed, o.conflict, o.attempted = false, "", false
	a.drop(b, o)
}

// vanished asks for a live read: a filtered watch says "deleted" too when only
// the label went.
func (a *Agent) vanished(e Vanished) {
	a.namespaceChanged(e.Key)
	for _, b := range a.holders[e.Key] {
		a.lost(b, b.objects[e.Key], e.Revision)
	}
}

func (a *Agent) lost(b *bundle, o *object, revision string) {
	if o.UID == "" || o.busy || o.live != nil && older(revision, o.live.Revision) {
		return
	}
	o.check = true
	a.stir(b)
}

// listed compares a complete list of one kind with the inventories.
func (a *Agent) listed(e Listed) {
	for k, holders := range a.holders {
		group, kind, _, _ := k.Split()
		if group != e.Group || kind != e.Kind || e.Keys[k] {
			continue
		}
		for _, b := range holders {
			a.notListed(b, b.objects[k], e.Revision)
		}
	}
}

func (a *Agent) notListed(b *bundle, o *object, revision string) {
	unlabelled := o.live != nil && !o.live.Labelled
	if o.missing || o.Done || unlabelled || o.Print == plainPrint {
		return // known already
	}
	a.lost(b, o, revision)
}

// Expectation is how one bundle left an object.
type Expectation struct {
	// Print is the fingerprint of what Manager owned then.
	Print, Manager string
	// Content that it was applied from.
	Content content.ID
}

// Expected returns how a bundle of ours left an object that it wants. What
// several bundles own together cannot be held against one of them.
func (a *Agent) Expected(k content.Key) (Expectation, bool) {
	for _, b := range a.holders[k] {
		o := b.objects[k]
		if o.want == nil || b.item == nil || coOwned(o.Role) && len(a.holders[k]) > 1 {
			continue
		}
		return Expectation{o.Print, Manager(o.Role, b.uid), b.item.ID}, o.Print != "" && o.Print != plainPrint
	}
	return Expectation{}, false
}

// Kinds returns the group, kind and version of everything in the inventories.
func (a *Agent) Kinds() map[[3]string]bool {
	kinds := map[[3]string]bool{}
	for k, holders := range a.holders {
		group, kind, _, _ := k.Split()
		for _, b := range holders {
			kinds[[3]string{group, kind, b.objects[k].Version}] = true
		}
	}
	return kinds
}

// Held returns the key under which an inventory lists a live object: the
// renderer does not know whether a custom kind is namespaced, so its keys may
// lack the namespace.
func (a *Agent) Held(k content.Key) content.Key {
	if len(a.holders[k]) > 0 {
		return k
	}
	group, kind, _, name := k.Split()
	if short := content.NewKey(group, kind, "", name); len(a.holders[short]) > 0 {
		return short
	}
	return k
}

// Contents returns the ids of all contents that are wanted or were applied.
func (a *Agent) Contents() []content.ID {
	var ids []content.ID
	for _, b := range a.bundles {
		if b.entry != nil {
			ids = append(ids, content.ID(b.entry.Content))
		}
		if b.item != nil {
			ids = append(ids, b.item.ID)
		}
		if b.content != "" {
			ids = append(ids, b.content)
		}
	}
	return ids
}

// Counts returns how many assigned bundles are in each state.
func (a *Agent) Counts() map[protocol.State]int {
	counts := map[protocol.State]int{}
	for _, b := range a.bundles {
		if b.entry != nil && b.report.State != "" {
			counts[b.report.State]++
		}
	}
	return counts
}
