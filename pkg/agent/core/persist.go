package core

import "time"

// persistPatience is how long a changed inventory may stay unwritten while its
// bundle is at work. Only convenience hangs on it: keys are written ahead.
const persistPatience = 2 * time.Second

// persist asks for the inventories to be stored that changed and are at rest.
func (a *Agent) persist(r *Ready, now time.Time) {
	for _, b := range a.dirtyBundles() {
		if b.version == b.durable || b.writing || b.dropping || b.removal != nil {
			continue // of a removal, what is stored is enough to go on after a crash
		}
		if !b.rested(now) {
			continue
		}
		a.sequence++
		b.writing, b.writeAt, b.writingVersion = true, time.Time{}, b.version
		inv := b.inventory()
		inv.Journal = a.gather.written
		b.writingEntries = inv.Entries
		for i := range inv.Entries {
			o := b.objects[inv.Entries[i].Key]
			o.masked = o.entry() != o.Entry
		}
		r.Write = append(r.Write, StateWrite{Sequence: a.sequence, Inventory: inv})
	}
}

// rested tells whether a bundle's inventory is worth writing now.
func (b *bundle) rested(now time.Time) bool {
	if b.removal == nil && !b.busy() && (!b.acts() || b.attempted()) && b.writeTries == 0 {
		return true
	}
	if b.writeAt.IsZero() {
		b.writeAt = now.Add(persistPatience)
	}
	return !b.writeAt.After(now)
}

func (a *Agent) stateWritten(e StateWritten) {
	b := a.bundles[e.Bundle]
	if b == nil {
		return
	}
	a.stir(b)
	if b.dropping {
		b.dropping = false
		if e.Failure != "" {
			a.notice("state", e.Failure)
			b.writeTries++
			return
		}
		a.dropped(b)
		return
	}
	b.writing = false
	if e.Failure != "" {
		a.notice("state", e.Failure)
		b.writeTries++
		return
	}
	a.notice("state", "")
	b.durable, b.stored, b.writeTries = b.writingVersion, true, 0
	for i := range b.writingEntries {
		e := &b.writingEntries[i]
		if o := b.objects[e.Key]; o != nil && o.claims(*e) {
			o.stored, o.durable = true, true
			o.uncertain = o.uncertain && (o.busy || o.changing())
		}
	}
	a.reporting.heads = true
}

// dropped ends a removal: the head leaves the report.
func (a *Agent) dropped(b *bundle) {
	b.stored = false
	if b.removal != nil && b.listed() == 0 {
		a.forget(b)
	}
}
