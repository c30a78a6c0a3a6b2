package loop

import (
	"context"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// writeTimeout bounds a state write, reportTimeout a report, fetchTimeout a content.
const (
	writeTimeout  = time.Minute
	reportTimeout = 30 * time.Second
	fetchTimeout  = time.Minute
)

// perform starts every effect; each is answered by one event.
func (l *Loop) perform(ctx context.Context, r core.Ready) {
	for _, f := range r.Fetch {
		l.limited(ctx, l.fetch, func() { l.answer(ctx, l.fetchItem(ctx, f.Content)) })
	}
	for _, q := range r.Admit {
		l.limited(ctx, l.fetch, func() { l.answer(ctx, l.applier.Admit(ctx, q)) })
	}
	if len(r.Survey) > 0 {
		l.tasks.Go(func() { l.answer(ctx, l.applier.Survey(ctx, r.Survey)) })
	}
	if r.Journal != nil {
		l.tasks.Go(func() { l.answer(ctx, l.writeJournal(ctx, *r.Journal)) })
	}
	l.performOnObjects(ctx, r)
	for _, w := range r.Write {
		l.limited(ctx, l.write, func() { l.answer(ctx, l.writeState(ctx, w)) })
	}
	for _, d := range r.Drop {
		l.limited(ctx, l.write, func() { l.answer(ctx, l.dropState(ctx, d)) })
	}
	if r.Report != nil {
		l.sendReport(ctx, *r.Report)
	}
}

// performOnObjects hands applies and deletes to the workers. The core never
// asks for more than the channel holds.
func (l *Loop) performOnObjects(ctx context.Context, r core.Ready) {
	for _, a := range r.Apply {
		l.statistic.applies++
		l.jobs <- func() { l.answer(ctx, l.applier.Apply(ctx, a)) }
	}
	for _, d := range r.Delete {
		l.statistic.deletes++
		l.log.Info("deleting", "bundle", d.Bundle, "key", d.Key, "uid", d.UID)
		l.jobs <- func() { l.answer(ctx, l.applier.Delete(ctx, d)) }
	}
	if len(r.Apply)+len(r.Delete) > 0 {
		l.kindsDue = true
	}
}

// fetchItem takes an item from the shelf, else from the hub.
func (l *Loop) fetchItem(ctx context.Context, id content.ID) core.ContentLoaded {
	if packed, ok := l.shelf.Packed(id); ok {
		if item, err := l.shelf.Restore(id, packed); err == nil {
			return core.ContentLoaded{Content: id, Item: item}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	data, err := l.hub.Content(ctx, string(id))
	if err != nil {
		return core.ContentLoaded{Content: id, Failure: err.Error()}
	}
	item, err := l.shelf.Put(id, data)
	if err != nil {
		return core.ContentLoaded{Content: id, Failure: err.Error()}
	}
	return core.ContentLoaded{Content: id, Item: item}
}

func (l *Loop) writeJournal(ctx context.Context, w core.JournalWrite) core.JournalWritten {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return core.JournalWritten{Sequence: w.Sequence, Failure: text(l.store.WriteJournal(ctx, w.Journal))}
}

func (l *Loop) writeState(ctx context.Context, w core.StateWrite) core.StateWritten {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return core.StateWritten{Bundle: w.Inventory.UID, Sequence: w.Sequence, Failure: text(l.store.Write(ctx, w.Inventory))}
}

func (l *Loop) dropState(ctx context.Context, d core.StateDrop) core.StateWritten {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return core.StateWritten{Bundle: d.Bundle, Sequence: d.Sequence, Failure: text(l.store.Drop(ctx, d.Bundle))}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// sendReport stamps a report with session and sequence, and facts when they are new.
func (l *Loop) sendReport(ctx context.Context, r protocol.Report) {
	l.statistic.publish(l)
	l.sequence++
	r.Session, r.Sequence = l.session, l.sequence
	if l.factsDue {
		r.Facts = l.facts
	}
	l.tasks.Go(func() {
		inner, cancel := context.WithTimeout(ctx, reportTimeout)
		defer cancel()
		err := l.hub.Report(inner, r)
		l.post(ctx, func() {
			l.factsDue = l.factsDue && !(r.Facts == l.facts && err == nil)
			l.core.Step(core.ReportSent{Failure: text(err)})
			if l.factsDue && err == nil {
				l.core.Resync() // they changed while the report was under way
			}
			if err != nil {
				l.log.Warn("report was not taken", "error", err)
			}
		})
	})
}
