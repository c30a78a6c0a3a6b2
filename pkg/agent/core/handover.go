package core

import "github.com/muster-dev/muster/pkg/content"

// moves tells whether a key goes from one bundle to another without being
// deleted: because the document names it, or because within one workspace the
// one dropped what the other wants. The second keeps the object's identity when
// the agent was away for several documents, each with a handover of its own.
func (a *Agent) moves(k content.Key, from, to *bundle) bool {
	for _, h := range a.handovers[k] {
		if h.From == from.uid && h.To == to.uid {
			return true
		}
	}
	return from.workspace == to.workspace && from.dropped(k) && to.wants(k)
}

// dropped tells whether the bundle's wanted set is known and lacks the key. Who
// moves what does not hang on whether both are admitted to their namespaces:
// what waits for that is not deleted, nor lost to the one that has it.
func (b *bundle) dropped(k content.Key) bool {
	if b.removal != nil {
		return true
	}
	o := b.objects[k]
	return b.ready() && (o == nil || o.want == nil)
}

func (b *bundle) wants(k content.Key) bool {
	o := b.objects[k]
	return b.ready() && o != nil && o.want != nil
}

// handedAway returns what is to become of a key that the bundle holds and
// does not want, if another bundle is to take it.
func (a *Agent) handedAway(k content.Key, b *bundle) (verdict, bool) {
	v, handed := leave, false
	for _, h := range a.handovers[k] {
		if h.From == b.uid {
			v, handed = max(v, a.taken(k, a.bundles[h.To])), true
		}
	}
	for _, to := range a.wanters[k] {
		if to != b && a.moves(k, b, to) {
			v, handed = max(v, a.taken(k, to)), true
		}
	}
	return v, handed
}

// taken leaves a key alone until its new owner applied it.
func (a *Agent) taken(k content.Key, to *bundle) verdict {
	if to == nil {
		return leave
	}
	o := to.objects[k]
	if o == nil || !o.listed || o.UID == "" {
		return leave
	}
	switch a.holds(to, o) {
	case yes:
		return giveUp
	default:
		return leave
	}
}

// certainty is an answer that may have to be asked for.
type certainty int

const (
	unknown certainty = iota
	yes
	no
)

// holds tells whether the live object names the bundle as its owner. Stored
// inventories may be older than a handover: a crash between the new owner's
// apply and the old one's write leaves both listing the key.
func (a *Agent) holds(b *bundle, o *object) certainty {
	switch {
	case o.missing:
		return yes // nothing is there: whoever lists it may have it
	case o.live == nil:
		o.check = o.check || o.UID != ""
		a.stir(b)
		return unknown
	case o.live.Owner == b.uid:
		return yes
	}
	return no
}

// handOver makes the previous owners forget a key that its new owner applied.
func (a *Agent) handOver(k content.Key, to *bundle) {
	for _, from := range append([]*bundle(nil), a.holders[k]...) {
		if from == to || !a.moves(k, from, to) {
			continue
		}
		if o := from.objects[k]; o.want == nil {
			a.drop(from, o)
			a.stir(from)
		}
	}
}

// otherBusy tells whether another bundle waits for the answer of an apply of
// the same key: one that hands it over, whose apply could arrive after ours,
// or one that is about to make the namespace that we need too.
func (a *Agent) otherBusy(b *bundle, o *object) bool {
	if coOwned(o.Role) && (o.want == nil || !o.want.Plain) {
		return false
	}
	for _, other := range a.holders[o.Key] {
		if other != b && other.objects[o.Key].busy {
			return true
		}
	}
	return false
}

// satisfyOthers spares the other bundles an apply of a namespace that is there now.
func (a *Agent) satisfyOthers(b *bundle, o *object) {
	for _, other := range a.holders[o.Key] {
		x := other.objects[o.Key]
		if other != b && x.want != nil && x.want.Plain && x.UID == "" && !x.busy {
			x.satisfy(o.live)
			other.touch()
		}
	}
}

// satisfy records a plain namespace that exists: nothing of it is ours.
func (o *object) satisfy(live *Live) {
	o.UID, o.Hash, o.Print, o.Created = live.UID, o.want.Hash, plainPrint, false
	o.live, o.missing, o.attempted, o.surveyed = live, false, true, true
	o.failure, o.tries = Failure{}, 0
}

// plainPrint stands for the fingerprint of an object of which we own nothing.
const plainPrint = "plain"
