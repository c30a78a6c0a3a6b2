package core_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/protocol"
)

// script drives an agent with one bundle "u" that wants key(1).
type script struct {
	agent    *core.Agent
	now      time.Time
	revision int64
}

func newScript() *script {
	return &script{agent: core.New("c", core.Saved{}), now: time.Unix(1_700_000_000, 0)}
}

// obey delivers a document that wants the content, or removes the bundle if it is empty.
func (s *script) obey(content string) {
	s.revision++
	d := &protocol.Document{Version: 1, Cluster: "c", Assignment: "a", Epoch: 1, Revision: s.revision}
	if content == "" {
		d.Removals = []protocol.Removal{{UID: "u", Workspace: "w", Bundle: "b"}}
	} else {
		d.Entries = []protocol.Entry{{Workspace: "w", Bundle: "b", UID: "u", Generation: s.revision, Content: content}}
	}
	s.agent.Step(core.DocumentReceived{Document: d, Mark: core.Mark{Assignment: "a", Epoch: 1, Revision: s.revision, Digest: strconv.FormatInt(s.revision, 10)}})
}

// run answers everything but applies and deletes, with live as what a read of
// the key finds, until an apply or delete is asked for or nothing more comes.
func (s *script) run(live *core.Live) core.Ready {
	for range 30 {
		r := s.agent.Ready(s.now)
		for _, f := range r.Fetch {
			s.agent.Step(core.ContentLoaded{Content: f.Content, Item: &core.Item{ID: f.Content, Objects: []core.Desired{{Key: key(1), Version: "v1", Hash: string(f.Content)}}}})
		}
		for _, q := range r.Survey {
			s.agent.Step(core.Surveyed{Results: []core.SurveyResult{{Key: q.Key, Live: live}}})
		}
		if r.Journal != nil {
			s.agent.Step(core.JournalWritten{Sequence: r.Journal.Sequence})
		}
		for _, w := range r.Write {
			s.agent.Step(core.StateWritten{Bundle: w.Inventory.UID, Sequence: w.Sequence})
		}
		if len(r.Apply)+len(r.Delete)+len(r.Drop) > 0 {
			return r
		}
		s.now = s.now.Add(time.Minute)
	}
	return core.Ready{}
}

// owned is a sight of the key as an apply of our bundle leaves it.
func owned(intent, hash, revision string) *core.Live {
	return &core.Live{UID: "uid", Revision: revision, Owner: "u", Intent: intent, Labelled: true, Prints: map[string]string{"muster": hash}, Health: core.HealthCurrent}
}

// apply expects one apply.
func (s *script) apply(t *testing.T, live *core.Live, content string) core.Apply {
	t.Helper()
	r := s.run(live)
	if len(r.Apply) != 1 || r.Apply[0].Hash != content {
		t.Fatalf("got %+v, want an apply of %s", r, content)
	}
	return r.Apply[0]
}

func (s *script) answer(a core.Apply, live *core.Live) {
	e := core.Applied{Bundle: a.Bundle, Key: a.Key, Hash: a.Hash, Live: live}
	if live == nil {
		e.Failure = core.Failure{Kind: core.FailureRetry, Message: "timeout"}
	}
	s.agent.Step(e)
}

func TestAnUnheardApplyOfAnAdoptedObjectIsRemovedWithItsBundle(t *testing.T) {
	s := newScript()
	s.obey("one")
	before := &core.Live{UID: "uid", Revision: "1", Owner: "an earlier bundle", Intent: "x", Labelled: true}
	a := s.apply(t, before, "one")
	s.agent.Step(core.Observed{Key: key(1), Live: before}) // a sight from before the apply
	s.answer(a, nil)
	s.obey("")
	r := s.run(owned(a.Intent, "one", "2"))
	if len(r.Delete) != 1 || r.Delete[0].UID != "uid" {
		t.Errorf("got %+v, want the object deleted: the live read names the bundle as its owner", r)
	}
}

func TestARevertIsSentAfterAnUnheardApply(t *testing.T) {
	s := newScript()
	s.obey("one")
	a := s.apply(t, nil, "one")
	s.answer(a, owned(a.Intent, "one", "1"))
	s.obey("two")
	a = s.apply(t, nil, "two")
	s.answer(a, nil)
	s.obey("one")
	s.apply(t, nil, "one")
}

func TestARefusedApplyNeedsNoRevert(t *testing.T) {
	s := newScript()
	s.obey("one")
	a := s.apply(t, nil, "one")
	s.answer(a, owned(a.Intent, "one", "1"))
	s.obey("two")
	a = s.apply(t, nil, "two")
	s.agent.Step(core.Applied{Bundle: a.Bundle, Key: a.Key, Hash: a.Hash, Failure: core.Failure{Kind: core.FailurePermanent, Message: "invalid"}})
	s.obey("one")
	if r := s.run(nil); len(r.Apply) > 0 {
		t.Errorf("got %+v, want nothing sent: the API server refused the other content", r)
	}
	if got := s.agent.Counts()[protocol.StateReady]; got != 1 {
		t.Errorf("got states %v, want the bundle Ready: what was refused is not wanted any more", s.agent.Counts())
	}
}

func TestAnApplyIsNotTriedBeforeTheServerSaid(t *testing.T) {
	s := newScript()
	s.obey("one")
	a := s.apply(t, nil, "one")
	s.agent.Step(core.Applied{Bundle: a.Bundle, Key: a.Key, Hash: a.Hash, Failure: core.Failure{Kind: core.FailureRetry, Message: "busy", RetryAfterSeconds: 90}})
	r := s.agent.Ready(s.now)
	if len(r.Apply) > 0 || r.Wake.Before(s.now.Add(90*time.Second)) {
		t.Errorf("got %+v, want nothing before the 90 s are over", r)
	}
	s.now = s.now.Add(91 * time.Second)
	s.apply(t, nil, "one")
}
