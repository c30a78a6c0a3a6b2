package core_test

import (
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/protocol"
)

func receive(a *core.Agent, cluster string, m core.Mark) {
	a.Step(core.DocumentReceived{Mark: m, Document: &protocol.Document{Version: 1, Cluster: cluster, Assignment: m.Assignment, Epoch: m.Epoch, Revision: m.Revision}})
}

func TestOnlyNewerDocumentsOfTheSameLineAreObeyed(t *testing.T) {
	first := core.Mark{Assignment: "a", Epoch: 2, Revision: 7, Digest: "x"}
	for name, c := range map[string]struct {
		cluster string
		next    core.Mark
		obeyed  bool
	}{
		"a newer revision":                 {"c", core.Mark{Assignment: "a", Epoch: 2, Revision: 8, Digest: "y"}, true},
		"a newer epoch, smaller revision":  {"c", core.Mark{Assignment: "a", Epoch: 3, Revision: 1, Digest: "y"}, true},
		"an older revision":                {"c", core.Mark{Assignment: "a", Epoch: 2, Revision: 6, Digest: "y"}, false},
		"an older epoch, greater revision": {"c", core.Mark{Assignment: "a", Epoch: 1, Revision: 99, Digest: "y"}, false},
		"the same revision, other content": {"c", core.Mark{Assignment: "a", Epoch: 2, Revision: 7, Digest: "y"}, false},
		"another cluster's":                {"d", core.Mark{Assignment: "a", Epoch: 2, Revision: 8, Digest: "y"}, false},
		"a new line after a rejoin":        {"c", core.Mark{Assignment: "b", Epoch: 1, Revision: 1, Digest: "y"}, true},
		"a replay of the line before it":   {"c", core.Mark{Assignment: "z", Epoch: 9, Revision: 9, Digest: "y"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := core.New("c", core.Saved{})
			receive(a, "c", core.Mark{Assignment: "z", Epoch: 1, Revision: 1, Digest: "w"})
			receive(a, "c", first)
			receive(a, c.cluster, c.next)
			if got := a.Mark() == c.next; got != c.obeyed {
				t.Errorf("got obeyed %v, want %v", got, c.obeyed)
			}
		})
	}
}

func TestNothingIsAskedOfTheClusterBeforeTheMarkIsStored(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := core.New("c", core.Saved{})
	a.Step(core.DocumentReceived{
		Mark: core.Mark{Assignment: "a", Epoch: 1, Revision: 1, Digest: "x"},
		Document: &protocol.Document{Version: 1, Cluster: "c", Assignment: "a", Epoch: 1, Revision: 1,
			Entries: []protocol.Entry{{Workspace: "w", Bundle: "b", UID: "u", Generation: 1, Content: "content"}}},
	})
	if r := a.Ready(now); len(r.Fetch) != 1 || r.Journal != nil {
		t.Fatalf("got %+v, want the content fetched first", r)
	}
	a.Step(core.ContentLoaded{Content: "content", Item: &core.Item{ID: "content", Objects: []core.Desired{{Key: key(1), Version: "v1", Hash: "h"}}}})
	if r := a.Ready(now); len(r.Survey) != 1 || len(r.Apply) > 0 {
		t.Fatalf("got %+v, want a live read of the new key", r)
	}
	a.Step(core.Surveyed{Results: []core.SurveyResult{{Key: key(1)}}})
	r := a.Ready(now)
	if r.Journal == nil || len(r.Apply) > 0 || len(r.Journal.Journal.Intents) != 1 || r.Report != nil {
		t.Fatalf("got %+v, want mark and claim written ahead and nothing else", r)
	}
	a.Step(core.JournalWritten{Sequence: r.Journal.Sequence})
	if r := a.Ready(now); len(r.Apply) != 1 {
		t.Fatalf("got %+v, want the apply now", r)
	}
}

func TestARefusedAgentAsksForNothing(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := core.New("c", core.Saved{})
	receive(a, "c", core.Mark{Assignment: "a", Epoch: 1, Revision: 1, Digest: "x"})
	a.Step(core.Refused{Message: "revoked"})
	if r := a.Ready(now); r.Journal != nil || len(r.Fetch)+len(r.Apply)+len(r.Delete) > 0 {
		t.Errorf("got %+v, want nothing", r)
	}
}
