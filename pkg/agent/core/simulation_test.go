package core_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// thing is an object on the simulated cluster.
type thing struct {
	uid, owner, intent, hash string
	revision                 int
	edited                   bool
	// password is a value that every render makes anew; an apply keeps it.
	password int
}

func (t thing) print() string {
	if t.edited {
		return "edited"
	}
	return fmt.Sprint("print-", t.hash, "-", t.password)
}

func (t thing) live() *core.Live {
	return &core.Live{
		UID: t.uid, Revision: fmt.Sprintf("%08d", t.revision), Owner: t.owner, Intent: t.intent, Labelled: t.owner != "",
		Prints: map[string]string{"muster": t.print()}, Health: core.HealthCurrent,
	}
}

// simulation is a hub, a cluster and an agent that is crashed and lied to.
type simulation struct {
	t    *testing.T
	rand *rand.Rand
	now  time.Time

	// the hub
	document   *protocol.Document
	history    []*protocol.Document
	items      map[string]*core.Item
	wanted     map[string]map[content.Key]string // bundle -> key -> hash
	removed    map[string]bool
	kept       map[string]bool // removed with keepResources
	ever       map[string]bool // kept at any time
	bundles    int
	correct    bool
	lastWanted map[string]map[content.Key]string
	forbidden  map[string]bool // contents that cannot be fetched for now

	// the cluster
	world    map[content.Key]thing
	revision int
	uids     int

	// what the agent stored
	journal core.Journal
	states  map[string]core.Inventory

	// the running agent
	agent   *core.Agent
	pending []func() // effects that were asked for
	writes  int      // on the cluster: applies that changed, deletes, state writes
	lastTop core.Mark
	log     []string

	// dice are thrown for volatile values only, if there are any.
	dice      *rand.Rand
	passwords int
	// renders tell contents apart that differ in volatile values only.
	renders int
	resent  int // applies of what was on the cluster already

	// With a policy bundles may act only while their namespace is admitted, as
	// far as they were told since it changed or they began.
	policy   *rand.Rand
	admitted bool
	told     map[string]bool
	seen     int // changes of the namespace
}

// twist makes a simulation treat what most bundles do not have.
type twist func(s *simulation, seed uint64)

func volatile(s *simulation, seed uint64) { s.dice = rand.New(rand.NewPCG(seed, 2)) }

func governing(s *simulation, seed uint64) { s.policy = rand.New(rand.NewPCG(seed, 3)) }

func newSimulation(t *testing.T, seed uint64, twists ...twist) *simulation {
	s := &simulation{
		t: t, rand: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_700_000_000, 0),
		items: map[string]*core.Item{}, wanted: map[string]map[content.Key]string{}, removed: map[string]bool{}, kept: map[string]bool{}, ever: map[string]bool{},
		lastWanted: map[string]map[content.Key]string{}, forbidden: map[string]bool{}, world: map[content.Key]thing{}, states: map[string]core.Inventory{},
	}
	s.document = &protocol.Document{Version: 1, Cluster: "cluster", Assignment: "a1", Epoch: 1}
	s.correct = s.rand.IntN(2) == 0
	for _, twist := range twists {
		twist(s, seed)
	}
	s.restart()
	return s
}

func (s *simulation) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

func (s *simulation) fail(format string, args ...any) {
	s.t.Helper()
	if n := len(s.log); n > 60 && os.Getenv("SEED") == "" {
		s.log = s.log[n-60:]
	}
	for _, l := range append(s.log, s.agent.Dump()...) {
		s.t.Log(l)
	}
	s.t.Fatalf(format, args...)
}

// restart makes an agent from what was stored; effects under way are lost, or
// were performed without anybody hearing of it.
func (s *simulation) restart() {
	saved := core.Saved{Journal: s.journal}
	for _, uid := range slices.Sorted(maps.Keys(s.states)) {
		inv := s.states[uid]
		saved.Bundles = append(saved.Bundles, core.Loaded{Inventory: inv, Item: s.items[string(inv.Content)]})
	}
	s.pending, s.told = nil, map[string]bool{}
	s.agent = core.New("cluster", saved)
	if s.agent.Mark().Before(s.lastTop) && s.agent.Mark().Assignment == s.lastTop.Assignment {
		s.fail("the stored mark went back from %+v to %+v", s.lastTop, s.agent.Mark())
	}
	s.agent.Step(core.Synced{})
	s.list()
}

func (s *simulation) list() {
	keys := map[content.Key]bool{}
	for _, k := range slices.Sorted(maps.Keys(s.world)) {
		if s.world[k].owner != "" {
			s.agent.Step(core.Observed{Key: k, Live: s.sight(k)})
			keys[k] = true
		}
	}
	s.agent.Step(core.Listed{Kind: "ConfigMap", Revision: fmt.Sprintf("%08d", s.revision), Keys: keys})
}

// sight is what a watch sees, explained: what differs from the content of whom
// wants it in volatile values only is as desired.
func (s *simulation) sight(k content.Key) *core.Live {
	t := s.world[k]
	live := t.live()
	x, ok := s.agent.Expected(k)
	if !ok || s.dice == nil || x.Print == t.print() {
		return live
	}
	for _, d := range s.items[string(x.Content)].Objects {
		live.AsDesired = live.AsDesired || d.Key == k && d.Hash == t.hash && !t.edited
	}
	return live
}

func key(i int) content.Key { return content.NewKey("", "ConfigMap", "ns", "k"+strconv.Itoa(i)) }

// change makes the hub want something else: no key is ever wanted twice.
func (s *simulation) change() {
	free := map[content.Key]bool{}
	for i := range 8 {
		free[key(i)] = true
	}
	uids := slices.Sorted(maps.Keys(s.wanted))
	before := map[string]map[content.Key]string{}
	for _, uid := range uids {
		before[uid] = s.wanted[uid]
		for k := range s.wanted[uid] {
			delete(free, k)
		}
	}
	switch n := s.rand.IntN(7); {
	case n == 0 || len(uids) == 0:
		s.bundles++
		s.wanted[fmt.Sprintf("bundle-%08d-uid", s.bundles)] = s.pick(free)
	case n == 1:
		uid := uids[s.rand.IntN(len(uids))]
		s.lastWanted[uid] = s.wanted[uid]
		delete(s.wanted, uid)
		s.removed[uid] = true
		s.kept[uid] = s.rand.IntN(5) == 0
		s.ever[uid] = s.ever[uid] || s.kept[uid]
	case n == 1+5 && len(s.removed) > 0: // a removal is withdrawn
		gone := slices.Sorted(maps.Keys(s.removed))
		uid := gone[s.rand.IntN(len(gone))]
		delete(s.removed, uid)
		delete(s.kept, uid)
		s.wanted[uid] = s.pick(free)
		if keys := s.lastWanted[uid]; keys != nil && s.rand.IntN(2) == 0 && s.allFree(free, keys) {
			s.wanted[uid] = keys
		}
	case n == 2 && len(uids) > 1: // a key moves
		from, to := uids[s.rand.IntN(len(uids))], uids[s.rand.IntN(len(uids))]
		for _, k := range slices.Sorted(maps.Keys(s.wanted[from])) {
			if from != to {
				s.wanted[from], s.wanted[to] = maps.Clone(s.wanted[from]), maps.Clone(s.wanted[to])
				delete(s.wanted[from], k)
				s.wanted[to][k] = s.hash()
				break
			}
		}
	case n == 3: // recreated under the same name
		uid := uids[s.rand.IntN(len(uids))]
		s.bundles++
		s.wanted[fmt.Sprintf("bundle-%08d-uid", s.bundles)] = s.wanted[uid]
		delete(s.wanted, uid)
		s.removed[uid] = true
	default:
		uid := uids[s.rand.IntN(len(uids))]
		for k := range s.wanted[uid] {
			free[k] = true
		}
		s.wanted[uid] = s.pick(free)
	}
	s.compose(before)
}

func (s *simulation) allFree(free map[content.Key]bool, keys map[content.Key]string) bool {
	for k := range keys {
		if !free[k] {
			return false
		}
	}
	return true
}

// pick chooses some keys with new content or, as a revert does, an old one.
func (s *simulation) pick(free map[content.Key]bool) map[content.Key]string {
	m := map[content.Key]string{}
	for _, k := range slices.Sorted(maps.Keys(free)) {
		if s.rand.IntN(3) == 0 {
			m[k] = s.hash()
		}
	}
	return m
}

func (s *simulation) hash() string { return "h" + strconv.Itoa(s.rand.IntN(4)) }

// compose writes the next document as the composer would.
func (s *simulation) compose(before map[string]map[content.Key]string) {
	d := &protocol.Document{Version: 1, Cluster: "cluster", Assignment: s.document.Assignment, Epoch: s.document.Epoch, Revision: s.document.Revision + 1}
	if s.rand.IntN(20) == 0 {
		d.Epoch++
	}
	for _, uid := range slices.Sorted(maps.Keys(s.wanted)) {
		d.Entries = append(d.Entries, protocol.Entry{Workspace: "w", Bundle: uid, UID: uid, Generation: d.Revision, Content: s.item(s.wanted[uid])})
	}
	for _, uid := range slices.Sorted(maps.Keys(s.removed)) {
		d.Removals = append(d.Removals, protocol.Removal{UID: uid, Workspace: "w", Bundle: uid, Keep: s.kept[uid]})
	}
	for from, keys := range before {
		for k := range keys {
			for to, wanted := range s.wanted {
				if _, ok := wanted[k]; ok && to != from {
					d.Handovers = append(d.Handovers, protocol.Handover{Key: string(k), From: from, To: to})
				}
			}
		}
	}
	s.document = d
	s.history = append(s.history, d)
	s.note("hub: document %d: wanted %v removed %v handovers %v", d.Revision, s.wanted, slices.Sorted(maps.Keys(s.removed)), d.Handovers)
}

func (s *simulation) item(keys map[content.Key]string) string {
	id := fmt.Sprint("content-", keys) // maps print sorted: equal wants have equal ids
	if s.dice != nil {
		id = fmt.Sprint(id, "-", s.renders)
	}
	item := &core.Item{ID: content.ID(id)}
	if s.correct {
		item.Options.DriftMode = "correct"
	}
	if s.policy != nil {
		item.Options.Namespace, item.Options.NamespaceSelector = "ns", "team=a"
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		item.Objects = append(item.Objects, core.Desired{Key: k, Version: "v1", Hash: keys[k]})
	}
	s.items[id] = item
	return id
}

func (s *simulation) deliver(d *protocol.Document) {
	s.note("deliver %d", d.Revision)
	top := s.agent.Mark()
	s.agent.Step(core.DocumentReceived{Document: d, Mark: core.Mark{
		Assignment: d.Assignment, Epoch: d.Epoch, Revision: d.Revision, Digest: fmt.Sprintf("%d/%d", d.Epoch, d.Revision),
	}})
	if s.agent.Mark().Before(top) {
		s.fail("the mark went back from %+v to %+v", top, s.agent.Mark())
	}
}

// ready asks for effects and queues them.
func (s *simulation) ready() {
	r := s.agent.Ready(s.now)
	if len(r.Survey)+len(r.Apply)+len(r.Delete) > 0 {
		s.note("ready: survey %v apply %v delete %v", r.Survey, r.Apply, r.Delete)
	}
	for _, q := range r.Admit {
		seen := s.seen
		s.told[q.Bundle] = false
		s.queue(func() { s.admit(q, seen) })
	}
	s.governed(r)
	for _, f := range r.Fetch {
		s.queue(func() { s.fetch(f) })
	}
	if len(r.Survey) > 0 {
		s.queue(func() { s.survey(r.Survey) })
	}
	if r.Journal != nil {
		s.queue(func() { s.writeJournal(*r.Journal) })
	}
	for _, a := range r.Apply {
		s.queue(func() { s.apply(a) })
	}
	for _, d := range r.Delete {
		doc := s.journal.Document // a delete under way is not called back by a newer one
		s.queue(func() { s.delete(d, doc) })
	}
	for _, w := range r.Write {
		s.queue(func() {
			s.states[w.Inventory.UID] = w.Inventory
			s.writes++
			s.agent.Step(core.StateWritten{Bundle: w.Inventory.UID, Sequence: w.Sequence})
		})
	}
	for _, d := range r.Drop {
		s.queue(func() {
			delete(s.states, d.Bundle)
			s.writes++
			s.agent.Step(core.StateWritten{Bundle: d.Bundle, Sequence: d.Sequence})
		})
	}
	if r.Report != nil {
		s.queue(func() { s.report(*r.Report) })
	}
}

// governed is the invariant of a policy: what acts was told that it may.
func (s *simulation) governed(r core.Ready) {
	if s.policy == nil {
		return
	}
	for _, a := range r.Apply {
		if !s.told[a.Bundle] {
			s.fail("%s of %s is applied where the policy does not admit it", a.Key, a.Bundle)
		}
	}
	for _, d := range r.Delete {
		if removed := slices.ContainsFunc(s.agent.Document().Removals, func(x protocol.Removal) bool { return x.UID == d.Bundle }); !removed && !s.told[d.Bundle] {
			s.fail("%s of %s is pruned where the policy does not admit it", d.Key, d.Bundle)
		}
	}
}

func (s *simulation) admit(q core.Admit, seen int) {
	e := core.Admitted{Bundle: q.Bundle}
	switch {
	case s.policy.IntN(10) == 0:
		e.Failure = "timeout"
	case !s.admitted:
		e.Denial = "lacks team=a"
	}
	s.told[q.Bundle] = e.Denial+e.Failure == "" && seen == s.seen
	s.note("admit %s: %+v", q.Bundle, e)
	s.agent.Step(e)
}

// govern changes the namespace, which a watch may see or not.
func (s *simulation) govern() {
	if s.policy.IntN(20) > 0 {
		return
	}
	s.admitted = !s.admitted
	if s.policy.IntN(2) == 0 {
		return
	}
	clear(s.told)
	s.seen++
	s.agent.Step(core.Observed{Key: content.NewKey("", "Namespace", "", "ns"), Live: &core.Live{UID: "ns", Revision: fmt.Sprintf("%08d", s.revision)}})
}

func (s *simulation) queue(f func()) { s.pending = append(s.pending, f) }

func (s *simulation) fetch(f core.Fetch) {
	if s.forbidden[string(f.Content)] {
		s.agent.Step(core.ContentLoaded{Content: f.Content, Failure: "not now"})
		return
	}
	s.agent.Step(core.ContentLoaded{Content: f.Content, Item: s.items[string(f.Content)]})
}

func (s *simulation) survey(wanted []core.Survey) {
	var answer core.Surveyed
	for _, w := range wanted {
		r := core.SurveyResult{Key: w.Key}
		if t, ok := s.world[w.Key]; ok {
			r.Live = t.live()
			if w.Content != "" {
				r.Live = s.sight(w.Key)
			}
		}
		if s.rand.IntN(20) == 0 {
			r.Live, r.Unknown = nil, "timeout"
		}
		answer.Results = append(answer.Results, r)
	}
	for _, r := range answer.Results {
		s.note("survey %s: %+v %s", r.Key, r.Live, r.Unknown)
	}
	s.agent.Step(answer)
}

func (s *simulation) writeJournal(w core.JournalWrite) {
	if s.rand.IntN(15) == 0 {
		s.agent.Step(core.JournalWritten{Sequence: w.Sequence, Failure: "etcd is slow"})
		return
	}
	if w.Journal.Mark.Before(s.journal.Mark) {
		s.fail("the journal's mark went back: %+v after %+v", w.Journal.Mark, s.journal.Mark)
	}
	s.journal, s.lastTop = w.Journal, w.Journal.Mark
	s.writes++
	s.agent.Step(core.JournalWritten{Sequence: w.Sequence})
}

func (s *simulation) apply(a core.Apply) {
	if s.rand.IntN(15) == 0 {
		s.agent.Step(core.Applied{Bundle: a.Bundle, Key: a.Key, Hash: a.Hash, Failure: core.Failure{Kind: core.FailureRetry, Message: "timeout"}})
		if s.rand.IntN(2) == 0 {
			s.put(a) // it happened although nobody heard
		}
		return
	}
	s.put(a)
	s.agent.Step(core.Applied{Bundle: a.Bundle, Key: a.Key, Hash: a.Hash, Live: s.world[a.Key].live()})
}

func (s *simulation) put(a core.Apply) {
	if !s.claimed(a) {
		s.fail("%s of %s is applied and was not written ahead", a.Key, a.Bundle)
	}
	t, ok := s.world[a.Key]
	if !ok {
		s.uids++
		s.passwords++
		t = thing{uid: "uid-" + strconv.Itoa(s.uids)}
		if s.dice != nil {
			t.password = s.passwords
		}
	}
	if t.owner == a.Bundle && t.hash == a.Hash && t.intent == a.Intent && !t.edited {
		s.resent++
	}
	next := t
	next.owner, next.intent, next.hash, next.edited = a.Bundle, a.Intent, a.Hash, false
	if next != t {
		s.revision++
		next.revision = s.revision
		s.writes++
	}
	s.note("apply %s %s %s: %s", a.Bundle, a.Key, a.Hash, next.uid)
	s.world[a.Key] = next
}

// claimed tells whether journal or state hold the key with this intent.
func (s *simulation) claimed(a core.Apply) bool {
	inventories := append(slices.Clone(s.journal.Intents), s.states[a.Bundle])
	return slices.ContainsFunc(inventories, func(inv core.Inventory) bool {
		return inv.UID == a.Bundle && slices.ContainsFunc(inv.Entries, func(e core.Entry) bool { return e.Key == a.Key && e.Intent == a.Intent })
	})
}

func (s *simulation) delete(d core.Delete, doc *protocol.Document) {
	s.allowed(d, doc)
	t, ok := s.world[d.Key]
	if s.rand.IntN(15) == 0 {
		s.agent.Step(core.Deleted{Bundle: d.Bundle, Key: d.Key, Outcome: core.DeleteFailed, Message: "denied"})
		return
	}
	if ok && t.uid == d.UID {
		s.note("delete %s %s %s", d.Bundle, d.Key, d.UID)
		delete(s.world, d.Key)
		s.writes++
	}
	answer := core.Deleted{Bundle: d.Bundle, Key: d.Key, Outcome: core.DeleteGone}
	if ok && t.uid != d.UID {
		answer.Live = t.live()
	}
	s.agent.Step(answer)
}

// allowed is the invariant: nothing is deleted but by a removal, or because the
// bundle's content, as the newest journalled document names it, lacks the key;
// and never what the document hands over.
func (s *simulation) allowed(d core.Delete, doc *protocol.Document) {
	if doc == nil {
		s.fail("delete of %s without a document", d.Key)
	}
	for _, h := range doc.Handovers {
		if h.Key == string(d.Key) && h.From == d.Bundle {
			s.fail("delete of %s, which document %d hands over", d.Key, doc.Revision)
		}
	}
	for _, r := range doc.Removals {
		if r.UID == d.Bundle && !r.Keep {
			return
		}
	}
	for _, e := range doc.Entries {
		if e.UID != d.Bundle {
			continue
		}
		holds := slices.ContainsFunc(s.items[e.Content].Objects, func(o core.Desired) bool { return o.Key == d.Key })
		if !holds {
			return
		}
	}
	s.fail("delete of %s of %s without removal or prune in document %d", d.Key, d.Bundle, doc.Revision)
}

// report lets the hub drop removals of heads that are gone.
func (s *simulation) report(r protocol.Report) {
	if r.Revision == s.document.Revision {
		heads := map[string]bool{}
		for _, h := range r.Heads {
			heads[h.UID] = true
		}
		for uid := range s.removed {
			if !heads[uid] {
				delete(s.removed, uid)
			}
		}
	}
	s.agent.Step(core.ReportSent{})
}

// step does one random thing.
func (s *simulation) step() {
	if s.dice != nil {
		s.churn()
	}
	if s.policy != nil {
		s.govern()
	}
	switch n := s.rand.IntN(100); {
	case n < 8:
		s.change()
	case n < 20:
		s.deliver(s.document)
	case n < 23 && len(s.history) > 0:
		s.deliver(s.history[s.rand.IntN(len(s.history))])
	case n < 27:
		s.crash()
	case n < 30:
		s.meddle()
	case n < 33:
		s.list()
	case n < 36:
		s.agent.Step(core.Vanished{Key: key(s.rand.IntN(8)), Revision: fmt.Sprintf("%08d", s.revision)})
	case n < 40:
		s.now = s.now.Add(time.Duration(s.rand.IntN(3000)) * time.Millisecond)
	case n < 42:
		if d := s.document; len(d.Entries) > 0 {
			s.forbidden[d.Entries[0].Content] = true
		}
	case len(s.pending) > 0:
		s.performOne()
	}
	s.ready()
}

// churn renders everything anew, or somebody rotates a password by hand.
func (s *simulation) churn() {
	switch s.dice.IntN(25) {
	case 0:
		s.renders++
		s.compose(s.wanted)
	case 1:
		if keys := slices.Sorted(maps.Keys(s.world)); len(keys) > 0 {
			s.rotate(keys[s.dice.IntN(len(keys))])
		}
	}
}

func (s *simulation) rotate(k content.Key) {
	s.revision++
	s.passwords++
	t := s.world[k]
	t.revision, t.password = s.revision, s.passwords
	s.world[k] = t
	s.note("somebody rotates %s to %d", k, t.password)
	s.agent.Step(core.Observed{Key: k, Live: s.sight(k)})
}

func (s *simulation) performOne() {
	i := s.rand.IntN(len(s.pending))
	f := s.pending[i]
	s.pending = slices.Delete(s.pending, i, i+1)
	f()
}

// crash kills the agent after some of what it asked for was done unheard.
func (s *simulation) crash() {
	s.note("journal %d %d: %d intents", s.journal.Sequence, s.journal.Mark.Revision, len(s.journal.Intents))
	s.note("crash with %d effects under way", len(s.pending))
	dead := s.agent
	for len(s.pending) > 0 && s.rand.IntN(3) > 0 {
		s.performOne()
	}
	s.agent = dead
	s.restart()
}

// meddle is somebody else on the cluster.
func (s *simulation) meddle() {
	keys := slices.Sorted(maps.Keys(s.world))
	if len(keys) == 0 {
		return
	}
	k := keys[s.rand.IntN(len(keys))]
	s.revision++
	t := s.world[k]
	t.revision = s.revision
	if s.rand.IntN(3) == 0 {
		s.note("somebody deletes %s", k)
		delete(s.world, k)
		s.agent.Step(core.Vanished{Key: k, Revision: fmt.Sprintf("%08d", s.revision)})
		return
	}
	t.edited = true
	s.world[k] = t
	s.agent.Step(core.Observed{Key: k, Live: s.sight(k)})
}

// calm ends the faults and lets everything run out.
func (s *simulation) calm() {
	clear(s.forbidden)
	s.admitted = true
	s.deliver(s.document)
	for idle := 0; idle < 80; {
		s.ready()
		if len(s.pending) > 0 {
			f := s.pending[0]
			s.pending = s.pending[1:]
			f()
			continue
		}
		idle++
		s.now = s.now.Add(17 * time.Second) // 80 of them are longer than any backoff
	}
}

func (s *simulation) check() {
	s.t.Helper()
	want := map[content.Key]string{}
	for uid, keys := range s.wanted {
		for k, hash := range keys {
			want[k] = uid + " " + hash
		}
	}
	for k, w := range want {
		t, ok := s.world[k]
		if !ok && s.correct {
			s.fail("%s is missing, want %s", k, w)
		}
		if got := t.owner + " " + t.hash; ok && got != w {
			s.fail("%s is %q, want %q", k, got, w)
		}
	}
	for k, t := range s.world {
		if want[k] == "" && !s.everKept(t.owner) {
			s.fail("%s of %s is left over", k, t.owner)
		}
	}
	s.writes = 0
	s.restart()
	s.calm()
	if s.writes > 0 {
		s.fail("%d writes at rest after a restart", s.writes)
	}
	if s.dice != nil {
		s.checkVolatile()
	}
}

// checkVolatile renders everything anew and rotates every password: nothing
// that is on the cluster is sent again for it, by an agent that was there or by
// one that comes back.
func (s *simulation) checkVolatile() {
	s.t.Helper()
	before := maps.Clone(s.world)
	s.resent, s.renders = 0, s.renders+1
	s.compose(s.wanted)
	s.calm()
	for k, t := range before {
		if s.world[k] != t {
			s.fail("%s is %+v after a render that changed nothing, was %+v", k, s.world[k], t)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.world)) {
		s.rotate(k)
	}
	before = maps.Clone(s.world)
	s.calm()
	s.restart()
	s.calm()
	for k, t := range before {
		if s.world[k] != t {
			s.fail("%s is %+v after a rotation, was %+v", k, s.world[k], t)
		}
	}
	if s.resent > 0 {
		s.fail("%d objects were sent again because of values that are volatile", s.resent)
	}
}

func (s *simulation) everKept(uid string) bool { return s.ever[uid] }

// TestTheAgentConvergesAndNeverDeletesWithoutCause crashes and deceives agents
// with many seeds. SEED replays one, SEEDS sets how many.
func TestTheAgentConvergesAndNeverDeletesWithoutCause(t *testing.T) {
	first, count := uint64(1), 400
	if v := os.Getenv("SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, count = n, 1
	}
	if v := os.Getenv("SEEDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		count = n
	}
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { simulate(t, seed) })
		t.Run(fmt.Sprint("volatile, seed ", seed), func(t *testing.T) { simulate(t, seed, volatile) })
		t.Run(fmt.Sprint("governed, seed ", seed), func(t *testing.T) { simulate(t, seed, volatile, governing) })
	}
}

func simulate(t *testing.T, seed uint64, twists ...twist) {
	s := newSimulation(t, seed, twists...)
	for range 300 {
		s.step()
	}
	s.calm()
	s.check()
}

// TestGovernedSeedsThatOnceFailed replays what was found among 18,000 seeds.
func TestGovernedSeedsThatOnceFailed(t *testing.T) {
	for symptom, seeds := range map[string][]uint64{
		"a key that moved was in conflict whenever its bundles asked for their namespace at once": {882, 1245, 1890, 2281, 3299, 3771},
	} {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(symptom, " ", seed), func(t *testing.T) { simulate(t, seed, volatile, governing) })
		}
	}
}

// TestSeedsThatOnceFailed replays what was found among 125,000 seeds, by symptom.
func TestSeedsThatOnceFailed(t *testing.T) {
	for symptom, seeds := range map[string][]uint64{
		"an unheard apply of an adopted object outlived its bundle":                    {4947},
		"a claim was dropped by a read that was older than its apply":                  {29577, 31905},
		"a key was given up and claimed anew while the old was written":                {8661, 12383, 19174, 20112, 23022, 27933, 30389, 33478, 43114, 43704},
		"the journal left out what an apply restored: writes at rest":                  {633},
		"a claim that was applied was given up to a bundle that listed the key of old": {57808, 65070},
		"an object was deleted while its next owner applied it":                        {61481},
		"an object went back to a bundle that did not know it was taken":               {109718},
		"the next owner slept through the failure of a delete":                         {119530},
	} {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(symptom, " ", seed), func(t *testing.T) { simulate(t, seed) })
		}
	}
}
