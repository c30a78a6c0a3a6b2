package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/muster-dev/muster/pkg/protocol"
)

// handleReport takes an agent's newest word. The answer says that it is
// stored, or that it told nothing new.
func (g *Gateway) handleReport(w http.ResponseWriter, r *http.Request) error {
	c, err := g.authenticate(w, r, protocol.MaxReportBytes)
	if err != nil {
		return err
	}
	if wait, ok := g.allowances.of(c.name).report(g.opts.Now()); !ok {
		return refuse(protocol.CodeBusy, "", "this cluster reports too often").after(wait)
	}
	report, err := protocol.ParseReport(c.body)
	if err != nil {
		return refuse(protocol.CodeInvalid, "", "%s", err)
	}
	if err := g.checkCluster(c, report.Facts); err != nil {
		return err
	}
	k, err := g.knownTo(r.Context(), c, report)
	if err != nil {
		return err
	}
	if report.Facts != nil {
		g.presence.facts(c.name, facts(*report.Facts))
	}
	g.presence.seen(c.name)
	if err := g.outboxes.submit(r.Context(), c, reduce(report, k)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkCluster quarantines an identity that turns up on another cluster.
func (g *Gateway) checkCluster(c *caller, f *protocol.Facts) error {
	if f == nil || f.KubeSystemUID == "" || c.kubeSystem == "" || f.KubeSystemUID == c.kubeSystem {
		return nil
	}
	why := "this identity is used on a cluster with another kube-system namespace"
	g.presence.quarantine(c.name, why)
	return quarantine(why)
}

// knownTo returns the bundles the caller may speak of: those of a document that
// is not older than the one it obeyed, unless the hub went back in time.
func (g *Gateway) knownTo(ctx context.Context, c *caller, r protocol.Report) (known, error) {
	doc, err := g.catchUp(ctx, c, g.proved(c, r.Signature))
	var went *refusal
	if errors.As(err, &went) && went.body.Code == protocol.CodeHubWentBack {
		doc, _ = g.board.get(c)
	} else if err != nil {
		return known{}, err
	}
	list, ok := listOf(doc.envelope.Document)
	if !ok {
		return knownIn(doc.envelope.Document, ""), nil
	}
	text, err := g.entryList(ctx, c, list)
	if err != nil {
		return known{}, err
	}
	return knownIn(doc.envelope.Document, text), nil
}
