package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// handleAssignment answers with the caller's document, or streams it.
func (g *Gateway) handleAssignment(w http.ResponseWriter, r *http.Request) error {
	c, err := g.authenticate(w, r, 0)
	if err != nil {
		return err
	}
	watch := r.URL.Query().Get("watch") == "1"
	if watch && !g.admission.Allow() {
		return refuse(protocol.CodeBusy, "", "too many agents connect at once").after(jitter(5 * time.Second))
	}
	obeyed := g.proved(c, r.Header.Get(protocol.HeaderObeyed))
	doc, err := g.catchUp(r.Context(), c, obeyed)
	if err != nil {
		return err
	}
	if watch {
		return g.stream(w, r, c, doc, obeyed.Mark())
	}
	if doc.empty() {
		return refuse(protocol.CodeNotFound, "", "nothing was assigned to this cluster yet")
	}
	w.Header().Set("ETag", doc.mark.ETag())
	w.Header().Set("Cache-Control", "private, no-store")
	if r.Header.Get("If-None-Match") == doc.mark.ETag() {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	// The agent hung up: it will ask again.
	_ = json.NewEncoder(w).Encode(doc.envelope)
	return nil
}

// proved returns the header of the newest document the caller obeyed. Only one
// that this hub signed for this very cluster counts; any other proves nothing.
func (g *Gateway) proved(c *caller, signature string) protocol.Header {
	if signature == "" {
		return protocol.Header{}
	}
	h, err := protocol.VerifyHeader(signature, g.key.Trust())
	if err != nil || h.Hub != g.key.ID() || h.Cluster != c.identity {
		return protocol.Header{}
	}
	return h
}

// catchUp returns a document that is not older than what the agent obeyed. A
// replica whose cache is behind waits a moment, then reads live; only that may
// say that the hub went back in time.
func (g *Gateway) catchUp(ctx context.Context, c *caller, obeyed protocol.Header) (posted, error) {
	mark := obeyed.Mark()
	timeout := time.NewTimer(g.opts.Timing.Behind)
	defer timeout.Stop()
	for {
		doc, changed := g.board.get(c)
		if !isBehind(doc, mark) {
			return doc, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return posted{}, ctx.Err()
		case <-timeout.C:
			return g.readAssignment(ctx, c, obeyed)
		}
	}
}

// isBehind tells whether a stored document is older than an agent's mark.
func isBehind(doc posted, mark protocol.Mark) bool {
	return !mark.IsZero() && (doc.empty() || doc.mark.Less(mark))
}

// readAssignment reads a cluster's document live.
func (g *Gateway) readAssignment(ctx context.Context, c *caller, obeyed protocol.Header) (posted, error) {
	var a v1alpha1.Assignment
	err := g.live.Get(ctx, client.ObjectKey{Namespace: g.opts.Namespace, Name: objectName(c.name)}, &a)
	if err != nil && !apierrors.IsNotFound(err) {
		return posted{}, broken(err)
	}
	doc := g.post(&a).to(c)
	if !isBehind(doc, obeyed.Mark()) {
		return doc, nil
	}
	// A cluster that was just removed has no document either: no reason to stop the hub.
	m, err := g.readMember(ctx, c.name.Namespace+"/"+c.name.Name)
	if err != nil {
		return posted{}, err
	}
	if m == nil || m.object != c.object || m.identity != c.identity {
		return posted{}, revoked()
	}
	g.opts.OnHubWentBack(ctx, obeyed)
	return posted{}, refuse(protocol.CodeHubWentBack, "an operator must run muster approve hub-restore",
		"the hub has revision %d of epoch %d, this agent obeyed revision %d of epoch %d",
		doc.mark.Revision, doc.mark.Epoch, obeyed.Revision, obeyed.Epoch)
}
