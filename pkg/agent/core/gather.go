package core

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/content"
)

// gatherPatience is how long a document waits for the contents of all its
// bundles before those that are there go ahead: one journal write then serves
// them all.
const gatherPatience = time.Second

// fetch asks for the contents that are wanted and not loaded.
func (a *Agent) fetch(r *Ready, now time.Time) {
	for _, b := range a.dirtyBundles() {
		if b.entry == nil || b.paused || b.current() || b.fetching != "" || b.retryAt.After(now) {
			continue
		}
		b.fetching, b.retryAt = content.ID(b.entry.Content), time.Time{}
		r.Fetch = append(r.Fetch, Fetch{Bundle: b.uid, Content: b.fetching})
	}
}

// dirtyBundles returns the bundles to look at, in the order people read.
func (a *Agent) dirtyBundles() []*bundle {
	list := make([]*bundle, 0, len(a.dirty))
	for uid := range a.dirty {
		if b, ok := a.bundles[uid]; ok {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, compareBundles)
	return list
}

// loaded takes a content item for every bundle that waits for it.
func (a *Agent) loaded(e ContentLoaded) {
	for _, b := range a.bundles {
		if b.fetching != e.Content {
			continue
		}
		b.fetching = ""
		a.stir(b)
		if b.entry == nil || b.entry.Content != string(e.Content) {
			continue // superseded meanwhile
		}
		if e.Item == nil {
			b.tries++
			b.failure = e.Failure
			continue
		}
		a.take(b, e.Item)
	}
}

func (a *Agent) take(b *bundle, item *Item) {
	a.unindexWants(b)
	before := b.item
	b.adopt(item)
	b.compareAnew(before)
	a.indexWants(b)
	if b.entry.Generation != b.generation {
		b.generationChanged()
	}
}

// compareAnew asks for another look at what differs when what is left out of
// drift changed: the last sight was compared by the old rules.
func (b *bundle) compareAnew(before *Item) {
	if before == nil || reflect.DeepEqual(before.Options.ComparePatches, b.item.Options.ComparePatches) {
		return
	}
	for _, o := range b.objects {
		if o.want != nil && o.live != nil && o.live.Prints[Manager(o.Role, b.uid)] != o.Print && o.Print != plainPrint {
			o.check = true
		}
	}
}

// claim looks at keys that are new before they are claimed, and writes the
// claims and the mark ahead of the first effect.
func (a *Agent) claim(r *Ready, now time.Time) {
	for _, b := range a.dirtyBundles() {
		b.backOffFetch(now)
		a.recheck(r, b, now)
	}
	if a.gathering(now) {
		return
	}
	for _, b := range a.dirtyBundles() {
		a.survey(r, b, now)
	}
	if len(a.gather.surveying) == 0 {
		a.plan()
		a.writeJournal(r, now)
	}
}

func (b *bundle) backOffFetch(now time.Time) {
	if b.failure != "" && b.fetching == "" && b.retryAt.IsZero() && b.tries > 0 {
		b.retryAt = now.Add(backoff(b.tries, fetchFirst, fetchLast, b.uid))
	}
}

// gathering tells whether contents of a new document are still awaited.
func (a *Agent) gathering(now time.Time) bool {
	if !a.gather.pending {
		return false
	}
	if a.gather.deadline.IsZero() {
		a.gather.deadline = now.Add(gatherPatience)
	}
	for _, b := range a.bundles {
		if b.fetching != "" && b.tries == 0 && now.Before(a.gather.deadline) {
			return true
		}
	}
	a.gather.pending = false
	a.stirAll()
	return false
}

// recheck asks for a live read of what a watch lost sight of.
func (a *Agent) recheck(r *Ready, b *bundle, now time.Time) {
	for _, k := range b.order {
		o := b.objects[k]
		if o == nil || !o.check || o.surveying || o.busy || o.retryAt.After(now) {
			continue
		}
		o.surveying = true
		s := b.surveyOf(o)
		s.Whole = true
		if x, ok := a.Expected(k); ok && len(a.holders[k]) == 1 {
			s.Content, s.Manager = x.Content, x.Manager
		}
		r.Survey = append(r.Survey, s)
	}
}

// survey asks for live reads of keys of which we do not know the uid.
func (a *Agent) survey(r *Ready, b *bundle, now time.Time) {
	if b.paused || (b.removal == nil && !b.acts()) || (b.removal != nil && b.removal.Keep) {
		return
	}
	for _, k := range b.order {
		o := b.objects[k]
		if o == nil || !o.unsure() || o.retryAt.After(now) {
			continue
		}
		o.surveying = true
		a.gather.surveying[k] = true
		r.Survey = append(r.Survey, b.surveyOf(o))
	}
}

// unsure tells whether a key has to be read before anything is done about it.
func (o *object) unsure() bool {
	if o.surveyed && o.conflict == "" {
		return false
	}
	return o.UID == "" && !o.surveying && !o.busy
}

func (b *bundle) surveyOf(o *object) Survey {
	version := o.Version
	if o.want != nil {
		version = o.want.Version
	}
	return Survey{Key: o.Key, Version: version}
}

func (b *bundle) account() string {
	if b.item == nil {
		return ""
	}
	return b.item.Options.ServiceAccount
}

// surveyed takes live reads.
func (a *Agent) surveyed(e Surveyed) {
	for i := range e.Results {
		a.surveyedKey(&e.Results[i])
	}
}

func (a *Agent) surveyedKey(s *SurveyResult) {
	if delete(a.gather.surveying, s.Key); len(a.gather.surveying) == 0 {
		a.stirAll() // all that waited for the last answer
	}
	for _, b := range a.concerned(s.Key) {
		o := b.objects[s.Key]
		if o == nil || !o.surveying {
			continue
		}
		o.surveying = false
		a.stir(b)
		if o.stale {
			o.stale = false
			continue // read again
		}
		if o.check {
			a.checked(b, o, s)
			continue
		}
		if s.Unknown != "" {
			o.fail(Failure{Kind: FailureRetry, Message: s.Unknown})
			continue
		}
		o.surveyed, o.found, o.conflict = true, s.Live, ""
		if o.want == nil {
			a.resolve(b, o, s.Live)
		}
	}
}

// concerned returns the bundles that want or list a key.
func (a *Agent) concerned(k content.Key) []*bundle {
	list := slices.Clone(a.wanters[k])
	for _, b := range a.holders[k] {
		if !slices.Contains(list, b) {
			list = append(list, b)
		}
	}
	return list
}

// resolve decides about a listed key whose apply was never answered and which
// is not wanted any more: only what carries our intent is ours.
func (a *Agent) resolve(b *bundle, o *object, live *Live) {
	if live == nil || live.Owner != b.uid || live.Intent != o.Intent {
		a.drop(b, o)
		return
	}
	o.UID = live.UID
	o.see(live)
	b.touch()
}

// checked takes the live read of an object that a watch lost sight of.
func (a *Agent) checked(b *bundle, o *object, s *SurveyResult) {
	if s.Unknown != "" {
		o.fail(Failure{Kind: FailureRetry, Message: s.Unknown})
		return
	}
	o.check = false
	if s.Live == nil {
		a.gone(b, o)
		return
	}
	a.sighted(b, o, s.Live)
}

// plan claims the surveyed keys that are free.
func (a *Agent) plan() {
	for _, b := range a.dirtyBundles() {
		if !b.acts() {
			continue
		}
		for _, k := range b.order {
			if o := b.objects[k]; o != nil && o.want != nil && o.UID == "" && o.surveyed && !o.busy && o.conflict == "" {
				a.planObject(b, o)
			} else if o != nil && o.changing() && !o.uncertain && !o.missing {
				a.gather.needed = true
			}
		}
	}
}

func (a *Agent) planObject(b *bundle, o *object) {
	a.dropPhantoms(b, o)
	if o.conflict = a.conflict(b, o, o.found); o.conflict != "" {
		o.fail(Failure{Kind: FailurePermanent, Message: o.conflict})
		o.attempted = true
		if o.listed && !o.busy {
			a.unlist(b, o)
		}
		return
	}
	if o.listed {
		if o.found != nil && (o.found.Owner != b.uid || o.found.Intent != o.Intent) && !coOwned(o.Role) {
			o.Created = false
		}
		return
	}
	if o.want.Plain && o.found != nil {
		o.satisfy(o.found)
		o.listed = true
		a.holders[o.Key] = append(a.holders[o.Key], b)
		b.touch()
		return
	}
	o.Intent = fmt.Sprintf("%d-%d", a.mark.Epoch, a.mark.Revision)
	if o.found != nil && o.found.Owner == b.uid && o.found.Intent != "" {
		o.Intent = o.found.Intent // ours from before a lost state: no rewrite is needed
	}
	o.Created = o.found == nil
	o.listed, o.durable, o.stored = true, false, false
	a.holders[o.Key] = append(a.holders[o.Key], b)
	a.gather.needed = true
	b.touch()
}

// dropPhantoms forgets claims of other bundles on the key that came to nothing:
// written ahead, never applied, and not wanted any more.
func (a *Agent) dropPhantoms(b *bundle, o *object) {
	for _, other := range a.holders[o.Key] {
		x := other.objects[o.Key]
		if other != b && x.UID == "" && x.want == nil && !x.busy && (o.found == nil || o.found.Owner != other.uid) {
			a.drop(other, x)
			a.stir(other)
		}
	}
}

// conflict says who else owns a key, or nothing if the bundle may take it.
func (a *Agent) conflict(b *bundle, o *object, live *Live) string {
	if coOwned(o.want.Role) || o.listed && live != nil && live.Owner == b.uid && live.Intent == o.Intent {
		return "" // the second was applied and nobody heard: whoever else lists it is of old
	}
	for _, other := range a.holders[o.Key] {
		if other != b && !a.moves(o.Key, other, b) && !coOwned(other.objects[o.Key].Role) {
			return fmt.Sprintf("owned by bundle %s/%s", other.workspace, other.name)
		}
	}
	if live == nil || live.Owner == b.uid || b.item.Options.TakeOwnership {
		return ""
	}
	if live.Release != "" && live.Owner == "" && live.Release != b.item.Options.Namespace+"/"+b.item.Options.Helm {
		return fmt.Sprintf("owned by Helm release %s; set helm.takeOwnership to adopt it", live.Release)
	}
	return ""
}

// writeJournal stores mark, document and claims, once for all that is new.
func (a *Agent) writeJournal(r *Ready, now time.Time) {
	if !a.gather.needed || a.gather.writing != 0 || a.gather.retryAt.After(now) {
		return
	}
	a.sequence++
	a.gather.writing, a.gather.needed = a.sequence, false
	a.gather.mark = a.mark
	r.Journal = &JournalWrite{Sequence: a.sequence, Journal: a.journal()}
	a.gather.retryAt = time.Time{}
	a.gather.failedAt = now
}

// journal returns what is stored ahead of effects.
func (a *Agent) journal() Journal {
	a.gather.written++
	j := Journal{Version: StateVersion, Sequence: a.gather.written, Mark: a.mark, Retired: a.retired, Document: a.doc}
	a.gather.planned = nil
	for _, uid := range slices.Sorted(maps.Keys(a.bundles)) {
		b := a.bundles[uid]
		if b.stored {
			j.Heads = append(j.Heads, uid)
		}
		inv := Inventory{Version: StateVersion, UID: uid, Workspace: b.workspace, Bundle: b.name}
		for _, k := range b.order {
			if o := b.objects[k]; o != nil && o.listed && (!o.stored || o.uncertain || o.changing()) {
				e := o.entry()
				o.masked = o.masked || e != o.Entry
				inv.Entries = append(inv.Entries, e)
				a.gather.planned = append(a.gather.planned, claimed{o, e})
			}
		}
		if len(inv.Entries) > 0 {
			j.Intents = append(j.Intents, inv)
		}
	}
	return j
}

func (a *Agent) journalWritten(e JournalWritten) {
	if e.Sequence != a.gather.writing {
		return
	}
	a.gather.writing = 0
	if e.Failure != "" {
		a.gather.needed = true
		a.gather.tries++
		a.gather.retryAt = a.gather.failedAt.Add(backoff(a.gather.tries, retryFirst, retryLast, "journal"))
		a.notice("journal", e.Failure)
		return
	}
	a.gather.tries = 0
	a.notice("journal", "")
	a.gather.durable = a.gather.mark
	for _, c := range a.gather.planned {
		if o := c.object; o.claims(c.entry) {
			o.durable, o.uncertain = true, o.uncertain || c.entry.Hash == "" && o.changing()
		}
	}
	a.gather.planned = nil
	a.stirAll()
}

// durable tells whether the mark of the obeyed document is stored.
func (a *Agent) durable() bool { return a.gather.durable == a.mark && a.doc != nil }
