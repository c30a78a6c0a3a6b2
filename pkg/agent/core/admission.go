package core

import (
	"time"

	"github.com/muster-dev/muster/pkg/content"
)

// The spans of an admission.
const (
	// admissionRetry is how often the namespace of a bundle that is held for it is looked at.
	admissionRetry = 30 * time.Second
	// admissionFresh is how long an answer holds for further work.
	admissionFresh = 30 * time.Second
)

// admission is whether a bundle may act in its release namespace: a Policy may
// say what labels that must have, and only the cluster knows them.
type admission struct {
	// again asks for a look at once, asking that one is under way, stale that it may be too old already.
	again, asking, stale bool
	allowed              bool
	// denial says why not; empty before the first answer.
	denial string
	// answered asks Ready to stamp the answer; failed counts looks that failed.
	answered bool
	failed   int
	at       time.Time
	askAt    time.Time
}

// releaseNamespace is where a bundle's objects live that name no namespace.
func releaseNamespace(o content.Options) string {
	if o.Namespace == "" {
		return "default"
	}
	return o.Namespace
}

// admitted tells whether the namespace is as it must be, or need not be anything.
func (b *bundle) admitted() bool {
	return b.item == nil || b.item.Options.NamespaceSelector == "" || b.admission.allowed
}

// readmit forgets the last answer, but not what was said of it.
func (b *bundle) readmit() {
	a := &b.admission
	*a = admission{again: true, denial: a.denial, asking: a.asking, stale: a.asking}
}

// admit asks about the namespaces of bundles that must not act without.
func (a *Agent) admit(r *Ready, now time.Time) {
	for _, b := range a.dirtyBundles() {
		if b.item == nil || b.item.Options.NamespaceSelector == "" || !b.ready() {
			b.admission.rest()
			continue
		}
		b.admission.stamp(now, b.uid)
		if b.admission.allowed && now.Sub(b.admission.at) >= admissionFresh && a.hasWork(b, now) {
			b.readmit()
		}
		if !b.admission.due(now) {
			continue
		}
		b.admission.again, b.admission.asking, b.admission.askAt = false, true, time.Time{}
		o := b.item.Options
		r.Admit = append(r.Admit, Admit{Bundle: b.uid, Namespace: releaseNamespace(o), Selector: o.NamespaceSelector})
	}
}

// stamp gives an answer its time, and a refusal the time of the next look.
func (a *admission) stamp(now time.Time, key string) {
	if !a.answered {
		return
	}
	a.answered, a.at, a.askAt = false, now, time.Time{}
	switch {
	case a.failed > 0:
		a.askAt = now.Add(backoff(a.failed, retryFirst, admissionRetry, key))
	case !a.allowed:
		a.askAt = now.Add(admissionRetry)
	}
}

// rest forgets the next look of a bundle that is not to act anyway.
func (a *admission) rest() {
	if !a.askAt.IsZero() {
		a.again, a.askAt = true, time.Time{}
	}
}

func (a *admission) due(now time.Time) bool {
	return !a.asking && (a.again || !a.askAt.IsZero() && !a.askAt.After(now))
}

// hasWork tells whether the bundle would act now.
func (a *Agent) hasWork(b *bundle, now time.Time) bool {
	for _, o := range b.objects {
		switch {
		case o.busy || o.retryAt.After(now):
		case o.want == nil && o.listed && !b.retain, o.want != nil && !o.listed, o.want != nil && a.due(b, o, now):
			return true
		}
	}
	return false
}

// decided takes the answer of an Admit. One that was asked for before the
// namespace or the bundle changed says nothing.
func (a *Agent) decided(e Admitted) {
	b := a.bundles[e.Bundle]
	if b == nil || !b.admission.asking {
		return
	}
	a.stir(b)
	x := &b.admission
	x.asking = false
	if x.stale {
		x.stale, x.again = false, true
		return
	}
	x.answered = true
	if e.Failure != "" {
		x.failed++
		x.allowed, x.denial = false, e.Failure
		return
	}
	x.failed, x.allowed, x.denial = 0, e.Denial == "", e.Denial
}

// namespaceChanged looks again at the bundles whose release namespace was seen
// or is gone. Linear in bundles, but namespaces change seldom.
func (a *Agent) namespaceChanged(k content.Key) {
	if phaseOf(k) != phaseNamespaces {
		return
	}
	_, _, _, name := k.Split()
	for _, b := range a.bundles {
		if b.item != nil && b.item.Options.NamespaceSelector != "" && releaseNamespace(b.item.Options) == name {
			b.readmit()
			a.stir(b)
		}
	}
}
