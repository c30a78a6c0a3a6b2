package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/content"
)

// maxBlocked is how often a namespace or a definition that others use is
// looked at before it is left to them.
const maxBlocked = 5

// prune deletes what the bundle's new manifests, completely rendered, no
// longer hold. It waits until everything that is wanted was attempted.
func (a *Agent) prune(r *Ready, b *bundle, now time.Time) {
	if b.retain || !b.attempted() {
		return
	}
	o := b.item.Options
	a.deleteUnwanted(r, b, now, deletion{namespace: o.DeleteNamespace, definitions: o.DeleteCRDs})
}

// removeBundle deletes everything in the inventory of a bundle that the
// document names in its removals, or forgets it.
func (a *Agent) removeBundle(r *Ready, b *bundle, now time.Time) {
	if b.removal.Keep {
		a.forgetAll(b)
	}
	a.deleteUnwanted(r, b, now, deletion{namespace: b.removal.DeleteNamespace, definitions: b.removal.DeleteCRDs})
	if b.listed() > 0 || b.busy() || b.writing || b.dropping || b.writeTries > 0 && !b.rested(now) {
		return
	}
	if !b.stored {
		a.forget(b)
		return
	}
	a.sequence++
	b.dropping, b.writeAt = true, time.Time{}
	r.Drop = append(r.Drop, StateDrop{Bundle: b.uid, Sequence: a.sequence})
}

// unwantAll begins a removal.
func (b *bundle) unwantAll() {
	b.unwanted = true
	for k, o := range b.objects {
		if o.want != nil {
			o.unwant()
		}
		if !o.listed && !o.busy {
			delete(b.objects, k)
		}
	}
}

func (a *Agent) forgetAll(b *bundle) {
	for _, k := range slices.Clone(b.order) {
		o := b.objects[k]
		if o == nil || !o.listed || o.busy {
			continue
		}
		if _, handed := a.handedAway(k, b); !handed {
			a.drop(b, o)
		}
	}
}

// forget removes the bundle from memory; its head leaves the report.
func (a *Agent) forget(b *bundle) {
	a.unindexWants(b)
	delete(a.bundles, b.uid)
	delete(a.dirty, b.uid)
	a.reporting.due = true
}

// deletion says what of the kinds treated apart may be deleted.
type deletion struct{ namespace, definitions bool }

// deleteUnwanted deletes in reverse order: objects, then definitions, then
// namespaces, each when nothing of the ones before is left.
func (a *Agent) deleteUnwanted(r *Ready, b *bundle, now time.Time, d deletion) {
	for phase := phases - 1; phase >= 0; phase-- {
		left := false
		for _, k := range slices.Backward(b.order) {
			o := b.objects[k]
			if o == nil || o.want != nil || !o.listed || phaseOf(k) != phase {
				continue
			}
			a.deleteOne(r, b, o, now, d)
			left = left || o.listed
		}
		if left {
			return
		}
	}
}

func (a *Agent) deleteOne(r *Ready, b *bundle, o *object, now time.Time, d deletion) {
	switch a.verdict(b, o, d) {
	case leave:
	case giveUp:
		a.drop(b, o)
	case destroy:
		if o.busy || o.surveying || o.UID == "" || o.check || o.retryAt.After(now) || a.otherBusy(b, o) || !a.room() {
			return
		}
		o.busy, o.retryAt = true, time.Time{}
		a.inFlight++
		r.Delete = append(r.Delete, Delete{
			Bundle: b.uid, Key: o.Key, Version: o.Version, UID: o.UID,
			Check: phaseOf(o.Key) != phaseRest, ServiceAccount: b.account(),
		})
	}
}

// verdict enumerates what happens to a listed key that is not wanted.
type verdict int

const (
	leave   verdict = iota // another bundle is about to take it
	giveUp                 // it leaves the inventory and stays on the cluster
	destroy                // it is deleted
)

func (a *Agent) verdict(b *bundle, o *object, d deletion) verdict {
	if o.busy {
		return leave
	}
	if v, handed := a.handedAway(o.Key, b); handed && !coOwned(o.Role) {
		return v
	}
	if b.wantsShort(o.Key) || protected(o.Key) {
		return giveUp
	}
	if v, decided := a.shared(b, o); decided {
		return v
	}
	switch {
	case o.Role == content.RoleReleaseNamespace && !d.namespace,
		o.Role == content.RoleChartCRD && !d.definitions,
		phaseOf(o.Key) == phaseNamespaces && !o.Created:
		return giveUp
	}
	return destroy
}

// wantsShort tells whether the bundle wants the same object under a key
// without its namespace, as a renderer names custom kinds: a rebuilt inventory
// has the namespace.
func (b *bundle) wantsShort(k content.Key) bool {
	group, kind, namespace, name := k.Split()
	o := b.objects[content.NewKey(group, kind, "", name)]
	return namespace != "" && o != nil && o.want != nil
}

// shared decides about a key that other inventories list too: what several
// own together stays with the others; of anything else the live object names
// the one owner.
func (a *Agent) shared(b *bundle, o *object) (verdict, bool) {
	others := false
	for _, other := range a.holders[o.Key] {
		others = others || other != b && other.objects[o.Key].UID != ""
	}
	if coOwned(o.Role) {
		return giveUp, others
	}
	if o.UID == "" {
		return leave, true // a live read decides: any sight may be older than an apply of which nobody heard
	}
	if !others && o.live == nil {
		return leave, false
	}
	switch a.holds(b, o) {
	case no:
		return giveUp, true
	case unknown:
		return leave, true
	}
	return leave, false
}

// drop takes a key out of the inventory. The knowledge that we created a
// namespace goes to whoever still owns it.
func (a *Agent) drop(b *bundle, o *object) {
	if o.Created && coOwned(o.Role) {
		a.inherit(b, o.Key)
	}
	a.unlist(b, o)
	if o.want == nil && !o.busy {
		delete(b.objects, o.Key)
		b.order = slices.DeleteFunc(b.order, func(k content.Key) bool { return k == o.Key })
	}
	for _, other := range a.wanters[o.Key] {
		if other != b {
			other.reconsider(o.Key)
			a.stir(other)
		}
	}
}

func (a *Agent) inherit(b *bundle, k content.Key) {
	for _, other := range a.holders[k] {
		if other != b {
			other.objects[k].Created = true
			other.touch()
			return
		}
	}
}

func (a *Agent) unlist(b *bundle, o *object) {
	o.listed, o.durable, o.stored = false, false, false
	o.UID, o.Hash, o.Print, o.Created = "", "", "", false
	remove(a.holders, o.Key, b)
	b.touch()
}

// reconsider makes a key that was in conflict be looked at at once.
func (b *bundle) reconsider(k content.Key) {
	if o := b.objects[k]; o != nil && o.conflict != "" {
		o.retryAt, o.parkedAt = time.Time{}, false
	}
}

// deleted takes the answer of a delete.
func (a *Agent) deleted(e Deleted) {
	a.inFlight--
	b := a.bundles[e.Bundle]
	if b == nil {
		return
	}
	o := b.objects[e.Key]
	if o == nil || !o.busy {
		return
	}
	o.busy = false
	a.stirWaiters(b)
	for _, other := range a.concerned(e.Key) {
		a.stir(other) // the next owner waited for the answer
	}
	switch e.Outcome {
	case DeleteGone:
		o.failure, o.blocked = Failure{}, ""
		a.recheckOthers(b, o)
		a.deletedOrReplaced(b, o, e.Live)
	case DeleteTerminating:
		o.deleting, o.blocked = true, e.Message
		o.fail(Failure{Kind: FailureRetry, Message: e.Message})
	case DeleteBlocked:
		a.deleteBlocked(b, o, e.Message)
	case DeleteFailed:
		o.fail(Failure{Kind: FailureRetry, Message: e.Message})
	}
}

// recheckOthers makes the other bundles that list an object that was deleted
// look whether it is there.
func (a *Agent) recheckOthers(b *bundle, o *object) {
	for _, other := range a.holders[o.Key] {
		if x := other.objects[o.Key]; other != b && x.UID == o.UID {
			x.check = true
			a.stir(other)
		}
	}
}

// deletedOrReplaced takes a successor that carries our claim for ours: an apply
// of which nobody heard made it. Any other is somebody else's.
func (a *Agent) deletedOrReplaced(b *bundle, o *object, live *Live) {
	if live == nil || coOwned(o.Role) || live.Owner != b.uid || live.Intent != o.Intent {
		a.gone(b, o)
		return
	}
	o.UID = live.UID
	o.see(live)
	b.touch()
}

// deleteBlocked leaves a namespace or definition to those who use it, after a
// few looks: what our own objects leave behind needs a moment to go.
func (a *Agent) deleteBlocked(b *bundle, o *object, message string) {
	o.blocked = message
	o.fail(Failure{Kind: FailureRetry, Message: message})
	if o.tries >= maxBlocked {
		a.notice("kept:"+string(o.Key), fmt.Sprintf("%s was kept: %s", o.Key, message))
		a.drop(b, o)
	}
}

// gone records that an object is known to be absent.
func (a *Agent) gone(b *bundle, o *object) {
	if o.want == nil {
		a.drop(b, o)
		return
	}
	if o.Done {
		return
	}
	o.missing, o.live, o.conflict = true, nil, ""
}
