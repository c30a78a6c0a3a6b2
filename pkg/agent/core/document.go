package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// maxRetired bounds the remembered earlier assignments.
const maxRetired = 20

// receive decides whether a document is obeyed. Ordering is by mark only:
// neither clocks nor arrival count.
func (a *Agent) receive(e DocumentReceived) {
	if reason := a.hold(e); reason != "" {
		a.notice("document", reason)
		return
	}
	a.notice("document", "")
	a.notice("refused", "")
	wasFrozen := a.frozen
	a.frozen = false
	if e.Mark.Digest == a.mark.Digest && e.Mark.Assignment == a.mark.Assignment && !a.mark.Before(e.Mark) {
		if wasFrozen {
			a.stirAll()
		}
		return
	}
	if a.mark.Assignment != "" && a.mark.Assignment != e.Mark.Assignment {
		a.retire(a.mark.Assignment)
	}
	a.mark = e.Mark
	a.obey(e.Document)
	a.gather.pending, a.gather.deadline, a.gather.needed = true, time.Time{}, true
}

// hold returns why a document is not obeyed, or nothing.
func (a *Agent) hold(e DocumentReceived) string {
	switch {
	case e.Document.Version > protocol.Version:
		return fmt.Sprintf("document of version %d is newer than this agent understands (%d): upgrade the agent", e.Document.Version, protocol.Version)
	case e.Document.Cluster != a.cluster:
		return fmt.Sprintf("document is for cluster %s, this is %s: refused", e.Document.Cluster, a.cluster)
	case slices.Contains(a.retired, e.Mark.Assignment):
		return fmt.Sprintf("document of the earlier assignment %s: held", e.Mark.Assignment)
	case e.Mark.Assignment != a.mark.Assignment:
		return ""
	case e.Mark.Before(a.mark):
		return fmt.Sprintf("the hub went back: document %d/%d is older than %d/%d, which was obeyed: held",
			e.Mark.Epoch, e.Mark.Revision, a.mark.Epoch, a.mark.Revision)
	case !a.mark.Before(e.Mark) && e.Mark.Digest != a.mark.Digest:
		return fmt.Sprintf("a second document with revision %d/%d and other content: held", e.Mark.Epoch, e.Mark.Revision)
	}
	return ""
}

func (a *Agent) retire(assignment string) {
	a.retired = append(a.retired, assignment)
	if len(a.retired) > maxRetired {
		a.retired = a.retired[len(a.retired)-maxRetired:]
	}
}

// obey makes the document what every bundle is held against. What it does not
// name is unassigned and left alone.
func (a *Agent) obey(d *protocol.Document) {
	a.doc = d
	a.assign(d)
	clear(a.handovers)
	for _, h := range d.Handovers {
		a.handovers[content.Key(h.Key)] = append(a.handovers[content.Key(h.Key)], h)
	}
	a.stirAll()
	a.reporting.due, a.reporting.fresh = true, true
}

func (a *Agent) assign(d *protocol.Document) {
	for _, b := range a.bundles {
		b.entry, b.removal, b.paused, b.retain = nil, nil, false, false
	}
	for i := range d.Entries {
		a.assignEntry(&d.Entries[i])
	}
	for i := range d.Removals {
		r := &d.Removals[i]
		if b, ok := a.bundles[r.UID]; ok && b.entry == nil {
			b.removal, b.workspace, b.name = r, r.Workspace, r.Bundle
			b.unwantAll()
		}
	}
	for _, uid := range d.Paused {
		if b, ok := a.bundles[uid]; ok {
			b.paused = true
		}
	}
	for _, uid := range d.Retain {
		if b, ok := a.bundles[uid]; ok {
			b.retain = true
		}
	}
}

func (a *Agent) assignEntry(e *protocol.Entry) {
	b := a.bundle(e.UID, e.Workspace, e.Bundle)
	b.workspace, b.name, b.entry = e.Workspace, e.Bundle, e
	if b.unwanted && b.item != nil {
		b.adopt(b.item) // a removal was withdrawn: everything is wanted again
	}
	if b.generation != e.Generation {
		b.generationChanged()
	}
	if b.current() {
		b.failure = ""
	}
	b.retryAt, b.tries = time.Time{}, 0
}

func (a *Agent) stirAll() {
	for _, b := range a.bundles {
		a.stir(b)
	}
}
