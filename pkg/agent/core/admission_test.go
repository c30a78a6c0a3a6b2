package core_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// governed drives an agent with one bundle that may only act in a namespace that a policy selects.
type governed struct {
	t        *testing.T
	agent    *core.Agent
	now      time.Time
	revision int64
	denial   string
	failure  string
	asked    []core.Admit
	reports  []protocol.BundleReport
	world    map[content.Key]*core.Live
	keys     map[content.ID][]content.Key
	options  content.Options
}

func newGoverned(t *testing.T) *governed {
	return &governed{
		t: t, agent: core.New("c", core.Saved{}), now: time.Unix(1_700_000_000, 0),
		world: map[content.Key]*core.Live{}, keys: map[content.ID][]content.Key{},
		options: content.Options{Namespace: "shop", NamespaceSelector: "team=a"},
	}
}

func (g *governed) obey(keys ...content.Key) {
	g.revision++
	id := content.ID("content-" + strconv.FormatInt(g.revision, 10))
	g.keys[id] = keys
	d := &protocol.Document{Version: 1, Cluster: "c", Assignment: "a", Epoch: 1, Revision: g.revision}
	d.Entries = []protocol.Entry{{Workspace: "w", Bundle: "b", UID: "u", Generation: g.revision, Content: string(id)}}
	g.agent.Step(core.DocumentReceived{Document: d, Mark: core.Mark{Assignment: "a", Epoch: 1, Revision: g.revision, Digest: string(id)}})
}

// run answers everything that is asked for within d.
func (g *governed) run(d time.Duration) {
	for end := g.now.Add(d); ; {
		r := g.agent.Ready(g.now)
		if g.perform(r) {
			continue
		}
		if r.Wake.IsZero() || r.Wake.After(end) {
			g.now = end
			return
		}
		g.now = r.Wake
	}
}

func (g *governed) perform(r core.Ready) (some bool) {
	step := func(e core.Event) { some = true; g.agent.Step(e) }
	for _, f := range r.Fetch {
		item := &core.Item{ID: f.Content, Options: g.options}
		for _, k := range g.keys[f.Content] {
			item.Objects = append(item.Objects, core.Desired{Key: k, Version: "v1", Hash: "h"})
		}
		step(core.ContentLoaded{Content: f.Content, Item: item})
	}
	for _, q := range r.Admit {
		g.asked = append(g.asked, q)
		step(core.Admitted{Bundle: q.Bundle, Denial: g.denial, Failure: g.failure})
	}
	for _, q := range r.Survey {
		step(core.Surveyed{Results: []core.SurveyResult{{Key: q.Key, Live: g.world[q.Key]}}})
	}
	if r.Journal != nil {
		step(core.JournalWritten{Sequence: r.Journal.Sequence})
	}
	for _, a := range r.Apply {
		g.world[a.Key] = owned(a.Intent, a.Hash, "1")
		step(core.Applied{Bundle: a.Bundle, Key: a.Key, Hash: a.Hash, Live: g.world[a.Key]})
	}
	for _, d := range r.Delete {
		delete(g.world, d.Key)
		step(core.Deleted{Bundle: d.Bundle, Key: d.Key, Outcome: core.DeleteGone})
	}
	for _, w := range r.Write {
		step(core.StateWritten{Bundle: w.Inventory.UID, Sequence: w.Sequence})
	}
	if r.Report != nil {
		if len(r.Report.Bundles) > 0 {
			g.reports = append(g.reports, r.Report.Bundles[0])
		} else {
			g.reports = append(g.reports, protocol.BundleReport{State: protocol.StateReady})
		}
		step(core.ReportSent{})
	}
	return some
}

func (g *governed) want(state protocol.State, message string, objects int) {
	g.t.Helper()
	if len(g.reports) == 0 {
		g.t.Fatal("nothing was reported")
	}
	last := g.reports[len(g.reports)-1]
	if last.State != state || last.Message != message || len(g.world) != objects {
		g.t.Errorf("got %s %q and %d objects, want %s %q and %d", last.State, last.Message, len(g.world), state, message, objects)
	}
}

func synced(g *governed) *governed {
	g.agent.Step(core.Synced{})
	return g
}

func TestNothingIsAppliedOrDeletedWhereThePolicySelectsNoNamespace(t *testing.T) {
	g := synced(newGoverned(t))
	g.denial = "no such namespace"
	g.obey(key(1), key(2))
	g.run(time.Second)
	g.want(protocol.StateHeld, g.denial, 0)
	if len(g.asked) != 1 || g.asked[0] != (core.Admit{Bundle: "u", Namespace: "shop", Selector: "team=a"}) {
		t.Errorf("got %+v asked, want shop once", g.asked)
	}
	reports := len(g.reports)
	g.run(5 * time.Minute)
	if n := len(g.asked); n < 10 || n > 15 {
		t.Errorf("asked %d times in five minutes, want each 30 s", n)
	}
	if n := len(g.reports) - reports; n > 1 {
		t.Errorf("got %d reports while nothing changed, want no more than a heartbeat", n)
	}
	g.denial = ""
	g.run(time.Minute)
	g.want(protocol.StateReady, "", 2)
	asked := len(g.asked)
	g.run(time.Hour)
	if len(g.asked) != asked {
		t.Errorf("asked %d times for a bundle at rest, want never", len(g.asked)-asked)
	}
	g.denial = "lacks team=a"
	g.obey(key(2), key(3)) // one to prune, one to create
	g.run(time.Minute)
	g.want(protocol.StateHeld, g.denial, 2)
	g.denial = ""
	g.run(time.Minute)
	g.want(protocol.StateReady, "", 2)
	if g.world[key(3)] == nil || g.world[key(1)] != nil {
		t.Errorf("got %v, want k1 replaced by k3", g.world)
	}
}

func TestANamespaceThatChangesIsLookedAtAtOnce(t *testing.T) {
	g := synced(newGoverned(t))
	namespace := content.NewKey("", "Namespace", "", "shop")
	g.denial = "lacks team=a"
	g.obey(key(1))
	g.run(time.Second)
	g.want(protocol.StateHeld, g.denial, 0)
	g.denial = ""
	g.agent.Step(core.Observed{Key: namespace, Live: &core.Live{UID: "n", Revision: "7"}})
	g.run(time.Second)
	g.want(protocol.StateReady, "", 1)
	reports := len(g.reports)
	g.agent.Step(core.Observed{Key: namespace, Live: &core.Live{UID: "n", Revision: "8"}})
	g.run(time.Second)
	if len(g.reports) != reports {
		t.Errorf("got %+v, want nothing said of a namespace that is still as it must be", g.reports[reports:])
	}
	g.denial = "no such namespace"
	g.agent.Step(core.Vanished{Key: namespace, Revision: "9"})
	g.run(time.Second)
	g.want(protocol.StateHeld, g.denial, 1)
}

func TestANamespaceThatCannotBeReadHoldsAndIsAskedAgain(t *testing.T) {
	g := synced(newGoverned(t))
	g.failure = "timeout"
	g.obey(key(1))
	g.run(time.Second)
	g.want(protocol.StateHeld, "timeout", 0)
	g.failure = ""
	g.run(10 * time.Second)
	g.want(protocol.StateReady, "", 1)
}

func TestDriftIsNotCorrectedInANamespaceThatLostItsLabels(t *testing.T) {
	g := synced(newGoverned(t))
	g.options.DriftMode = "correct"
	g.obey(key(1))
	g.run(time.Minute)
	g.want(protocol.StateReady, "", 1)
	g.denial = "lacks team=a"
	delete(g.world, key(1))
	g.agent.Step(core.Vanished{Key: key(1), Revision: "2"})
	g.run(time.Minute)
	g.want(protocol.StateHeld, g.denial, 0)
	g.denial = ""
	g.run(time.Minute)
	g.want(protocol.StateReady, "", 1)
}

func TestAHeldBundleIsRemovedAllTheSame(t *testing.T) {
	g := synced(newGoverned(t))
	g.obey(key(1))
	g.run(time.Minute)
	g.denial = "lacks team=a"
	g.obey(key(1), key(2))
	g.run(time.Minute)
	g.want(protocol.StateHeld, g.denial, 1)
	g.revision++
	g.agent.Step(core.DocumentReceived{
		Document: &protocol.Document{Version: 1, Cluster: "c", Assignment: "a", Epoch: 1, Revision: g.revision, Removals: []protocol.Removal{{UID: "u", Workspace: "w", Bundle: "b"}}},
		Mark:     core.Mark{Assignment: "a", Epoch: 1, Revision: g.revision, Digest: "removal"},
	})
	g.run(time.Minute)
	if len(g.world) > 0 {
		t.Errorf("got %v left, want nothing", g.world)
	}
	asked := len(g.asked)
	g.run(10 * time.Minute)
	if len(g.asked) > asked {
		t.Errorf("asked %v for a bundle that is removed", g.asked[asked:])
	}
}
