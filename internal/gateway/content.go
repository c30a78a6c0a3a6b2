package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// handleContent serves an item that the caller's document names, or named
// within the last hour. Everything else does not exist for the caller: the
// answer does not tell what other clusters run.
func (g *Gateway) handleContent(w http.ResponseWriter, r *http.Request) error {
	c, err := g.authenticate(w, r, 0)
	if err != nil {
		return err
	}
	id := content.ID(r.PathValue("id"))
	allowed, err := g.mayFetch(r.Context(), c, id)
	if err != nil {
		return err
	}
	if !allowed {
		return notYours(id)
	}
	data, err := g.read(r.Context(), c, id)
	switch {
	case errors.Is(err, content.ErrNotFound):
		return notYours(id)
	case err != nil:
		return broken(err)
	}
	g.learn(c, id, data)
	g.metrics.content.Add(float64(len(data)))
	return g.writeContent(w, r, data)
}

// read returns an item that the caller may fetch: of its own workspace, or of
// one whose bundle a mapping brought to it, which its document then names.
func (g *Gateway) read(ctx context.Context, c *caller, id content.ID) ([]byte, error) {
	if data, known, err := g.readElsewhere(ctx, c, id); known {
		return data, err
	}
	data, err := g.content.Get(ctx, c.name.Namespace, id)
	if !errors.Is(err, content.ErrNotFound) {
		return data, err
	}
	// The live look for it may have found what other workspaces have.
	if data, known, err := g.readElsewhere(ctx, c, id); known {
		return data, err
	}
	return nil, err
}

// readElsewhere reads an item that is not known in the caller's own workspace
// and is in another that its document names.
func (g *Gateway) readElsewhere(ctx context.Context, c *caller, id content.ID) (data []byte, known bool, err error) {
	if g.content.Has(c.name.Namespace, id) {
		return nil, false, nil
	}
	for _, workspace := range g.board.workspaces(c) {
		if workspace != c.name.Namespace && g.content.Has(workspace, id) {
			data, err := g.content.Get(ctx, workspace, id)
			return data, true, err
		}
	}
	return nil, false, nil
}

func notYours(id content.ID) *refusal {
	return refuse(protocol.CodeNotFound, "", "content %.43q is not part of this cluster's assignment", string(id))
}

// mayFetch looks in what is known, then, before it denies, in the document as
// it is stored and in what that document's content names.
func (g *Gateway) mayFetch(ctx context.Context, c *caller, id content.ID) (bool, error) {
	if len(id) != idLength {
		return false, nil
	}
	if g.board.names(c, id) {
		return true, nil
	}
	if !g.allowances.of(c.name).probe(g.opts.Now()) {
		return false, refuse(protocol.CodeBusy, "", "too many requests for content that is not assigned").after(jitter(2 * time.Second))
	}
	live, err := g.readAssignment(ctx, c, protocol.Header{})
	if err != nil {
		return false, err
	}
	if names(live.envelope.Document, id) {
		return true, nil
	}
	return g.namedWithin(ctx, c, live, id)
}

// namedWithin looks for id in what the document's own content names: the entry
// list of a large document and the inputs of source items. It learns on the
// way, so that a restarted replica looks once.
func (g *Gateway) namedWithin(ctx context.Context, c *caller, doc posted, id content.ID) (bool, error) {
	ids := references(doc.envelope.Document)
	if list, ok := listOf(doc.envelope.Document); ok {
		text, err := g.entryList(ctx, c, list)
		if err != nil {
			return false, err
		}
		if names(text, id) {
			return true, nil
		}
		ids = append(ids, references(text)...)
	}
	for _, ref := range ids {
		data, err := g.read(ctx, c, ref)
		if errors.Is(err, content.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, broken(err)
		}
		if inputs, ok := inputsOf(data); ok && inputs == id {
			g.board.allow(objectName(c.name), id)
			return true, nil
		}
	}
	return false, nil
}

// entryList reads the entry list of a large document and remembers what it names.
func (g *Gateway) entryList(ctx context.Context, c *caller, id content.ID) (string, error) {
	name := objectName(c.name)
	if text, ok := g.board.list(name, id); ok {
		return text, nil
	}
	data, err := g.content.Get(ctx, c.name.Namespace, id)
	if err != nil {
		return "", broken(err)
	}
	g.board.learn(name, id, string(data))
	return string(data), nil
}

// learn notes what an item that is served names in its turn.
func (g *Gateway) learn(c *caller, id content.ID, data []byte) {
	name := objectName(c.name)
	if inputs, ok := inputsOf(data); ok {
		g.board.allow(name, inputs)
	}
	doc, _ := g.board.get(c)
	if list, ok := listOf(doc.envelope.Document); ok && list == id {
		g.board.learn(name, id, string(data))
	}
}

// inputsOf returns what a source item is rendered from.
func inputsOf(data []byte) (content.ID, bool) {
	// Canonical bytes start with version and kind: most items need no parsing.
	if !bytes.Contains(data[:min(len(data), 64)], []byte(`"kind":"`+content.KindSource+`"`)) {
		return "", false
	}
	var item content.Item
	if err := json.Unmarshal(data, &item); err != nil || item.Source == nil {
		return "", false
	}
	return item.Source.Inputs, true
}

// worthCompressing is the size below which compression saves no packet.
const worthCompressing = 1 << 10

func (g *Gateway) writeContent(w http.ResponseWriter, r *http.Request, data []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "private, no-store")
	h.Set("Vary", "Accept-Encoding")
	if len(data) >= worthCompressing && strings.Contains(r.Header.Get("Accept-Encoding"), "zstd") {
		data = g.zstd.EncodeAll(data, nil)
		h.Set("Content-Encoding", "zstd")
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	// The agent hung up: it will ask again.
	_, _ = w.Write(data)
	return nil
}
