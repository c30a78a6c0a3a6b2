package core

import (
	"time"

	"github.com/muster-dev/muster/pkg/content"
)

// act asks for applies and deletes, as far as they are due and there is room.
func (a *Agent) act(r *Ready, now time.Time) {
	if !a.durable() {
		return
	}
	for _, b := range a.dirtyBundles() {
		switch {
		case b.removal != nil:
			a.removeBundle(r, b, now)
		case b.acts():
			a.applyBundle(r, b, now)
			a.prune(r, b, now)
			b.settle()
		}
	}
}

// room tells whether another effect may be asked for.
func (a *Agent) room() bool { return a.inFlight < MaxInFlight }

// applyBundle asks for the applies of the first phase that is not done.
func (a *Agent) applyBundle(r *Ready, b *bundle, now time.Time) {
	for phase := range phases {
		for _, k := range b.order {
			o := b.objects[k]
			if o == nil || o.want == nil || phaseOf(k) != phase || !a.due(b, o, now) {
				continue
			}
			if !a.room() {
				return
			}
			a.apply(r, b, o, now)
		}
		if !b.phaseDone(phase) {
			return
		}
	}
}

// due tells whether an object is to be sent now.
func (a *Agent) due(b *bundle, o *object, now time.Time) bool {
	if o.busy || o.surveying || o.check || !o.listed || !o.durable || o.conflict != "" || o.retryAt.After(now) {
		return false
	}
	if o.changing() && !o.uncertain && !o.missing {
		return false
	}
	if o.UID == "" && (!o.surveyed || a.otherBusy(b, o)) {
		return false
	}
	if !o.applied() {
		return true
	}
	return b.item.Options.DriftMode == "correct" && (o.missing && !o.exempt() || o.modified(b.uid)) && !o.calming(now)
}

// calming tells whether the last correction is too recent to correct again:
// two controllers that disagree must not make a storm.
func (o *object) calming(now time.Time) bool {
	if o.corrections == 0 || now.Sub(o.correctedAt) >= correctionCalm {
		o.corrections = 0
		return false
	}
	until := o.correctedAt.Add(backoff(o.corrections, correctionFirst, correctionLast, string(o.Key)))
	if now.Before(until) {
		o.retryAt = until
		return true
	}
	return false
}

func (a *Agent) apply(r *Ready, b *bundle, o *object, now time.Time) {
	if o.applied() {
		o.corrections++
		o.correctedAt = now
	}
	o.busy, o.retryAt, o.sentAt = true, time.Time{}, now
	a.inFlight++
	r.Apply = append(r.Apply, Apply{
		Bundle: b.uid, Intent: o.Intent, Key: o.Key, Content: b.item.ID, Hash: o.want.Hash,
		Role: o.want.Role, ServiceAccount: b.account(),
	})
}

// phaseDone tells whether the next phase may begin: everything applied, or
// parked alone, and every definition established.
func (b *bundle) phaseDone(phase int) bool {
	for k, o := range b.objects {
		if o.want == nil || phaseOf(k) != phase {
			continue
		}
		if o.parked() {
			continue
		}
		if !o.applied() {
			return false
		}
		if phase == phaseDefinitions && (o.live == nil || o.live.Health != HealthCurrent) {
			return false
		}
	}
	return true
}

// parked tells whether an object failed and stands aside for the others.
func (o *object) parked() bool { return o.failure.Kind != FailureNone && !o.busy }

// applied takes the answer of an apply.
func (a *Agent) applied(e Applied) {
	a.inFlight--
	b := a.bundles[e.Bundle]
	if b == nil {
		return
	}
	o := b.objects[e.Key]
	if o == nil || !o.busy {
		return
	}
	o.busy, o.attempted = false, true
	a.stirWaiters(b)
	for _, other := range a.concerned(e.Key) {
		a.stir(other)
	}
	if e.Failure.Kind != FailureNone {
		o.fail(e.Failure)
		o.doubt(e)
		if e.Failure.Kind == FailureRetry && !e.Failure.NoNamespace {
			a.outdate(o.Key, b)
		}
		if e.Failure.NoNamespace {
			a.lookAgain(b)
		}
		return
	}
	o.succeed(b, e)
	if coOwned(o.Role) {
		a.satisfyOthers(b, o)
		return
	}
	a.handOver(o.Key, b)
	for _, other := range a.holders[o.Key] {
		if other != b { // the answer is a sight for them too: it names another owner
			a.sighted(other, other.objects[o.Key], e.Live)
		}
	}
}

// doubt forgets what was on the cluster when an apply of something else may
// have happened unheard: a return to the old content is sent again.
func (o *object) doubt(e Applied) {
	if e.Failure.Kind == FailureRetry && e.Hash != o.Hash {
		o.Hash, o.Print = "", ""
	}
}

// outdate makes a key be read again before it is claimed or given up: what was
// read may be older than an apply of b of which nobody heard.
func (a *Agent) outdate(k content.Key, b *bundle) {
	for _, other := range a.concerned(k) {
		switch o := other.objects[k]; {
		case o == nil:
		case o.UID == "":
			o.surveyed, o.stale = false, o.surveying
		case other != b && !coOwned(o.Role):
			o.check = true
		}
	}
}

// lookAgain makes the bundle look for namespaces that it only found: one of
// them is gone.
func (a *Agent) lookAgain(b *bundle) {
	for _, o := range b.objects {
		if o.Print == plainPrint && !o.busy {
			a.unlist(b, o)
			o.surveyed, o.attempted = false, false
		}
	}
}

// stirWaiters looks at the bundle again and, now that there is room, at those
// that waited for it.
func (a *Agent) stirWaiters(b *bundle) {
	a.stir(b)
	if a.inFlight == MaxInFlight/2 {
		a.stirAll()
	}
}

// succeed records an apply: identity, what was sent, and how the fields we own look.
func (o *object) succeed(b *bundle, e Applied) {
	before := o.Entry
	if o.UID == "" && e.Live.Foreign {
		o.Created = false // somebody else made it between our look and our apply
	}
	o.UID, o.Hash, o.Print = e.Live.UID, e.Hash, e.Live.Prints[Manager(o.Role, b.uid)]
	if o.want != nil {
		o.Version, o.Role = o.want.Version, o.want.Role
	}
	o.failure, o.tries, o.retryAt, o.again, o.surveyed = Failure{}, 0, time.Time{}, false, true
	o.live, o.missing, o.Done = e.Live, false, e.Live.Done
	if o.Entry != before || o.masked {
		o.masked = false
		b.touch()
	}
}

// fail parks the object until its backoff has passed.
func (o *object) fail(f Failure) {
	o.tries++
	o.failure = f
	o.parkedAt = true
}

// park turns failures into times, which only Ready knows.
func (b *bundle) park(now time.Time) {
	for _, o := range b.objects {
		if o.parkedAt {
			o.parkedAt = false
			o.retryAt = now.Add(failureBackoff(o.failure, o.tries, string(o.Key)))
		}
	}
}

// kindsChanged retries what waited for its kind.
func (a *Agent) kindsChanged() {
	for _, b := range a.bundles {
		for _, o := range b.objects {
			if o.failure.Kind == FailureWaiting {
				o.retryAt, o.parkedAt = time.Time{}, false
				a.stir(b)
			}
		}
	}
}

// settle records content and generation as applied once everything wanted was
// attempted and answered.
func (b *bundle) settle() {
	if !b.attempted() || b.settled() {
		return
	}
	b.content, b.generation = b.item.ID, b.entry.Generation
	b.touch()
}

// settled tells whether content and generation were recorded as applied.
func (b *bundle) settled() bool {
	return b.content == b.item.ID && b.generation == b.entry.Generation
}

// attempted tells whether every wanted object was sent at this content, or
// needed not to be, and all were answered.
func (b *bundle) attempted() bool {
	for _, o := range b.objects {
		if o.busy || o.want != nil && !o.applied() && !o.attempted {
			return false
		}
	}
	return true
}
