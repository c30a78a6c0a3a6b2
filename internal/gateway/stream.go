package gateway

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/muster-dev/muster/pkg/protocol"
)

// line writes one line of a stream and flushes it, or fails within Timing.Write.
type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (l *lineWriter) write(line []byte) error {
	// Writers without deadlines (tests) are bounded by their own means.
	_ = l.control.SetWriteDeadline(time.Now().Add(l.timeout))
	if _, err := l.w.Write(line); err != nil {
		return err
	}
	return l.control.Flush()
}

// stream sends the caller's newest document whenever it changes, and a line
// every so often, until the agent goes or may stay no longer. Documents that
// came and went between two lines are never sent: newest wins.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request, c *caller, first posted, sent protocol.Mark) error {
	st := g.streams.add(c.name)
	if st == nil {
		return refuse(protocol.CodeBusy, "", "this replica has too many streams").after(jitter(10 * time.Second))
	}
	g.metrics.streams.Set(float64(g.streams.len()))
	g.presence.connected(c.name)
	defer g.ended(c, st)

	w.Header().Set("Content-Type", protocol.MediaStream)
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold lines back
	out := &lineWriter{w: w, control: http.NewResponseController(w), timeout: g.opts.Timing.Write}
	// An agent may listen for weeks: the deadline for reading its body is over.
	_ = out.control.SetReadDeadline(time.Time{})
	// From here on the status is sent; an error can only end the stream.
	_ = g.feed(out, r, c, st, first, sent)
	return nil
}

// ended notes the end of a stream, unless a newer one took its place.
func (g *Gateway) ended(c *caller, st *stream) {
	if g.streams.remove(c.name, st) {
		g.presence.disconnected(c.name)
	}
	g.metrics.streams.Set(float64(g.streams.len()))
}

func (g *Gateway) feed(out *lineWriter, r *http.Request, c *caller, st *stream, doc posted, sent protocol.Mark) error {
	keepAlive := time.NewTicker(g.opts.Timing.KeepAlive)
	defer keepAlive.Stop()
	// The first line goes out at once, so that the agent knows it is connected.
	line := protocol.KeepAliveLine
	for {
		if isNews(doc, sent) {
			var err error
			if line, err = doc.envelope.Line(); err != nil {
				return err
			}
			sent = doc.mark
			keepAlive.Reset(g.opts.Timing.KeepAlive)
		}
		if line != nil {
			if err := out.write(line); err != nil {
				return err
			}
			line = nil
		}
		var changed <-chan struct{}
		if doc, changed = g.board.get(c); isNews(doc, sent) {
			continue
		}
		select {
		case <-changed:
			// Usually this returns at once. A document that is older than the last
			// one sent, or none, is either a cache that is behind or a hub that went back.
			var err error
			if doc, err = g.catchUp(r.Context(), c, g.headerOf(c, sent)); err != nil {
				return err
			}
		case <-keepAlive.C:
			line = protocol.KeepAliveLine
		case <-st.poked:
			if !g.mayStay(c) {
				return nil
			}
		case <-st.closed:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
}

// headerOf says what this hub signed for a document that was sent to the caller.
func (g *Gateway) headerOf(c *caller, sent protocol.Mark) protocol.Header {
	return protocol.Header{
		Hub: g.key.ID(), Cluster: c.identity, Assignment: sent.Assignment, Epoch: sent.Epoch, Revision: sent.Revision,
	}
}

// isNews tells whether a document is to be sent after another. An older one
// never is: a cache that is behind must not make an agent think the hub went back.
func isNews(doc posted, sent protocol.Mark) bool {
	return !doc.empty() && !doc.mark.Equal(sent) && !doc.mark.Less(sent)
}

// mayStay authorises an open stream anew after its Cluster changed.
func (g *Gateway) mayStay(c *caller) bool {
	m := g.index.get(c.name)
	if m == nil || m.object != c.object || m.identity != c.identity || m.quarantined != "" {
		return false
	}
	key, ok := m.key(c.key.id)
	return ok && key.state != keyPrevious
}

// jitter is a random time up to d, at least a tenth of it.
func jitter(d time.Duration) time.Duration {
	return d/10 + time.Duration(rand.Int64N(int64(d)*9/10+1))
}
