package core

import (
	"strings"
	"time"

	"github.com/muster-dev/muster/pkg/content"
)

// object is one key of one bundle: wanted, listed in the inventory, or both.
type object struct {
	Entry
	// want is nil when the bundle's manifests no longer hold the key.
	want *Desired
	// listed means that the key is in the inventory; durable that this is stored.
	listed, durable bool
	// stored means that the bundle's own state holds the entry, not only the journal.
	stored bool
	// surveyed means that the key was read live since it had to be; found is what was there.
	surveyed, surveying bool
	found               *Live
	// stale means that the read under way may be older than an apply of another bundle.
	stale bool
	// uncertain means that the journal says that an apply of another content is
	// about to happen: a crash makes it be sent again, whatever was sent before.
	uncertain bool
	// masked means that the newest that is stored, state or journal, lacks what the last apply left.
	masked bool
	// busy means that an apply or delete was asked for and not answered.
	busy bool
	// attempted is set by the first answer at this content.
	attempted bool
	// again asks for an apply although the hash is unchanged.
	again bool
	// check asks for a live read because a watch lost sight of it.
	check bool
	// live is the newest sight of the object, missing that it is known to be gone.
	live    *Live
	missing bool
	failure Failure
	// conflict says who else owns the key.
	conflict string
	// deleting means that a delete was accepted, blocked why one would not be sent.
	deleting bool
	blocked  string
	tries    int
	retryAt  time.Time
	// parkedAt asks Ready to turn a failure into a time; sentAt is when the last apply was asked for.
	parkedAt    bool
	sentAt      time.Time
	corrections int
	correctedAt time.Time
}

// Manager is the field manager of a bundle's objects by role: what several
// bundles own together is applied by each under its own name.
func Manager(role content.Role, bundle string) string {
	if coOwned(role) {
		return "muster:" + ShortUID(bundle)
	}
	return "muster"
}

// ShortUID is the first 13 characters of a bundle's uid, the value of the watch label.
func ShortUID(uid string) string {
	if len(uid) > 13 {
		return uid[:13]
	}
	return uid
}

func coOwned(r content.Role) bool {
	return r == content.RoleReleaseNamespace || r == content.RoleChartCRD
}

// The phases of an apply.
const (
	phaseNamespaces = iota
	phaseDefinitions
	phaseRest
	phases
)

func phaseOf(k content.Key) int {
	group, kind, _, _ := k.Split()
	switch {
	case group == "" && kind == "Namespace":
		return phaseNamespaces
	case group == "apiextensions.k8s.io" && kind == "CustomResourceDefinition":
		return phaseDefinitions
	}
	return phaseRest
}

// protected tells whether a key is a namespace that is never deleted, nor
// applied as a release namespace.
func protected(k content.Key) bool {
	if phaseOf(k) != phaseNamespaces {
		return false
	}
	_, _, _, name := k.Split()
	return name == "default" || strings.HasPrefix(name, "kube-")
}

// applied tells whether the wanted object is on the cluster as far as we were answered.
func (o *object) applied() bool {
	return o.want != nil && o.UID != "" && o.Hash == o.want.Hash && o.Print != "" && !o.again
}

// changing tells whether what is on the cluster is about to be replaced.
func (o *object) changing() bool { return o.listed && o.want != nil && o.UID != "" && !o.applied() }

// entry returns the entry as it may be written: what is uncertain is left out.
func (o *object) entry() Entry {
	e := o.Entry
	if o.UID != "" && (o.busy || o.changing()) {
		e.Hash, e.Print = "", ""
	}
	return e
}

// claims tells whether an entry that was written is this claim: the key may
// have been given up and claimed anew meanwhile.
func (o *object) claims(e Entry) bool { return o.listed && o.Intent == e.Intent }

// modified tells whether fields we own differ from what the last apply left.
func (o *object) modified(bundle string) bool {
	if o.exempt() || o.live == nil || o.missing || o.Print == "" || o.Print == plainPrint {
		return false
	}
	if !o.live.Labelled && !coOwned(o.Role) {
		return true
	}
	return o.live.Prints[Manager(o.Role, bundle)] != o.Print && !o.live.AsDesired
}

// exempt tells whether the bundle leaves the object out of drift.
func (o *object) exempt() bool { return o.want != nil && o.want.Exempt }

// see takes a newer sight of the object.
func (o *object) see(l *Live) {
	if o.live != nil && older(l.Revision, o.live.Revision) {
		return
	}
	o.live, o.missing = l, false
}

// older compares resource versions, which are decimal numbers that grow.
func older(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}
