package hubclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/muster-dev/muster/pkg/protocol"
)

// Update is a document that was verified.
type Update struct {
	Envelope protocol.Envelope
	Document protocol.Document
	Header   protocol.Header
}

// patience is how long a stream must last for the next try to start from the shortest pause.
const patience = 30 * time.Second

// Watch listens until ctx is done and delivers each document that verifies.
// obeyed returns the signature of the newest document the agent obeys; it is
// asked at each connection. deliver must be quick: documents that come
// meanwhile wait in the connection, and the hub sends the newest only.
func (c *Client) Watch(ctx context.Context, obeyed func() string, deliver func(Update)) error {
	failures := 0
	for ctx.Err() == nil {
		began := c.opts.Now()
		err := c.listen(ctx, obeyed(), deliver)
		if ctx.Err() != nil {
			break
		}
		if c.opts.Now().Sub(began) > patience {
			failures = 0
		}
		failures++
		pause := c.pause(failures, err)
		c.opts.OnState(State{Err: err, Until: c.opts.Now().Add(pause)})
		wait(ctx, pause)
	}
	return ctx.Err()
}

// hopeless is how long to wait before asking again after a refusal that only a person can lift.
const hopeless = time.Minute

// pause is fully jittered, so that agents that lost the hub together do not
// come back together (thundering herd, RELIABILITY F24).
func (c *Client) pause(failures int, err error) time.Duration {
	limit := min(c.opts.Retry<<min(failures-1, 20), c.opts.MaxRetry)
	var refused *Refused
	if errors.As(err, &refused) {
		switch refused.Reason.Code {
		case protocol.CodeRevoked, protocol.CodeQuarantined:
			limit = min(hopeless, 2*c.opts.MaxRetry)
		}
	}
	pause := time.Duration(rand.Int64N(int64(limit) + 1))
	if refused != nil {
		pause += refused.RetryAfter
	}
	return pause
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var errSilent = errors.New("the hub sent nothing for too long")

// listen reads one stream to its end.
func (c *Client) listen(ctx context.Context, obeyed string, deliver func(Update)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.opts.Silence, func() { cancel(errSilent) })
	defer watchdog.Stop()

	h := http.Header{"Accept": {protocol.MediaStream}}
	if obeyed != "" {
		h.Set(protocol.HeaderObeyed, obeyed)
	}
	resp, err := c.do(ctx, http.MethodGet, protocol.PathAssignment+"?watch=1", nil, h)
	if err != nil {
		return fmt.Errorf("listen to the hub: %w", because(ctx, err))
	}
	defer resp.Body.Close()
	c.opts.OnState(State{Connected: true})
	lines := protocol.NewEnvelopeReader(resp.Body)
	for {
		env, err := lines.Next()
		if err != nil {
			return fmt.Errorf("listen to the hub: %w", because(ctx, err))
		}
		watchdog.Reset(c.opts.Silence)
		if env.IsKeepAlive() {
			continue
		}
		doc, header, err := c.Open(env)
		if err != nil {
			// Asking again would bring the same bytes: the next document may be better.
			c.opts.OnState(State{Connected: true, Err: err})
			continue
		}
		deliver(Update{Envelope: env, Document: doc, Header: header})
	}
}

// because prefers the reason for which we ended a request ourselves.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
