package loop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// The pauses between streams, full jitter: many agents come back at once.
const (
	listenFirst, listenLast = 500 * time.Millisecond, 30 * time.Second
	// refusedPause is how long a refused agent waits before it asks again.
	refusedPause = time.Minute
	// streamIsWell is how long a stream must have lasted to count as one.
	streamIsWell = 30 * time.Second
)

// listen keeps a stream to the hub open.
func (l *Loop) listen(ctx context.Context, mark protocol.Mark) {
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		err := l.hub.Watch(ctx, mark, func(e protocol.Envelope) { l.post(ctx, func() { l.deliver(ctx, e) }) })
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > streamIsWell {
			failures = 0
		}
		failures++
		l.post(ctx, func() { l.streamEnded(ctx, err) })
		rest(ctx, listenPause(err, failures))
		mark = l.markFrom(ctx, mark)
	}
}

func listenPause(err error, failures int) time.Duration {
	if isRefusal(err) {
		return refusedPause/2 + rand.N(refusedPause)
	}
	return rand.N(min(listenFirst<<min(failures-1, 10), listenLast)) + 10*time.Millisecond
}

func isRefusal(err error) bool {
	var refusal *protocol.Error
	return errors.As(err, &refusal) && (refusal.Code == protocol.CodeRevoked || refusal.Code == protocol.CodeQuarantined)
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// markFrom asks the goroutine that owns the core how far it has come.
func (l *Loop) markFrom(ctx context.Context, last protocol.Mark) protocol.Mark {
	answer := make(chan protocol.Mark, 1)
	l.post(ctx, func() { answer <- wireMark(l.core.Mark()) })
	select {
	case mark := <-answer:
		return mark
	case <-ctx.Done():
		return last
	}
}

// streamEnded says why, where people look: a refusal freezes the agent.
func (l *Loop) streamEnded(ctx context.Context, err error) {
	switch {
	case isRefusal(err):
		if l.refused != err.Error() {
			l.refused = err.Error()
			l.log.Error("the hub refuses this agent: what runs is kept, nothing is corrected any more", "error", err)
			l.warn(ctx, "Refused", "The hub refuses this agent: "+err.Error()+". What runs is kept, nothing is corrected any more.")
		}
		l.core.Step(core.Refused{Message: err.Error()})
		if l.options.Revoked != nil {
			l.options.Revoked()
		}
	case err != nil:
		l.log.Warn("stream to the hub ended", "error", err)
	}
}

// deliver takes an envelope: one whose signature does not verify is refused
// and said so, never obeyed.
func (l *Loop) deliver(ctx context.Context, e protocol.Envelope) {
	if e.IsKeepAlive() {
		return
	}
	document, header, err := l.open(e)
	if err != nil {
		l.log.Error("a document was refused", "error", err)
		l.core.Step(core.Noticed{Topic: "signature", Text: "a document was refused: " + err.Error()})
		return
	}
	l.core.Step(core.Noticed{Topic: "signature"})
	mark := core.Mark{Assignment: header.Assignment, Epoch: header.Epoch, Revision: header.Revision, Signature: e.Signature, Digest: header.Digest}
	if mark.Assignment != l.newest.Assignment || !mark.Before(l.newest) {
		l.newest = mark
	}
	if document.EntriesRef == "" {
		l.obey(mark, header, &document)
		return
	}
	l.limited(ctx, l.fetch, func() { l.completeDocument(ctx, mark, header, document) })
}

// completeDocument fetches the entries of a document that is too long to hold
// them, until they are there or a newer document is.
func (l *Loop) completeDocument(ctx context.Context, mark core.Mark, header protocol.Header, d protocol.Document) {
	for tries := 1; ctx.Err() == nil; tries++ {
		entries, err := l.fetchEntries(ctx, d.EntriesRef)
		if err == nil {
			d.Entries = entries
			l.post(ctx, func() {
				if mark == l.newest {
					l.obey(mark, header, &d)
				}
			})
			return
		}
		l.log.Warn("entries of a document could not be fetched", "error", err)
		rest(ctx, rand.N(min(listenFirst<<min(tries, 10), listenLast)))
		if !l.isNewest(ctx, mark) {
			return
		}
	}
}

// isNewest asks the goroutine of Run whether no newer document arrived.
func (l *Loop) isNewest(ctx context.Context, mark core.Mark) bool {
	answer := make(chan bool, 1)
	l.post(ctx, func() { answer <- mark == l.newest })
	select {
	case newest := <-answer:
		return newest
	case <-ctx.Done():
		return false
	}
}

func (l *Loop) fetchEntries(ctx context.Context, id string) ([]protocol.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	data, err := l.hub.Content(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("fetch entries %s: %w", id, err)
	}
	if got := content.IDOf(data); got != content.ID(id) {
		return nil, fmt.Errorf("entries %s arrived as %s: refused", id, got)
	}
	var list protocol.EntryList
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("decode entries %s: %w", id, err)
	}
	return list.Entries, nil
}

func (l *Loop) obey(mark core.Mark, header protocol.Header, d *protocol.Document) {
	l.core.Step(core.DocumentReceived{Mark: mark, Document: d})
	if l.core.Mark() != mark {
		return
	}
	l.refused = ""
	l.adopt(*d, header)
	used := map[content.ID]bool{}
	for _, id := range l.core.Contents() {
		used[id] = true
	}
	l.shelf.Keep(used)
	l.log.Info("document obeyed", "revision", mark.Revision, "epoch", mark.Epoch, "entries", len(d.Entries), "removals", len(d.Removals))
}
