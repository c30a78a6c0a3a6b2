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

// Follow listens until ctx is done, coming back with jitter whenever the
// stream ends, and delivers each document that verifies. mark returns the
// newest document the agent obeys; it is asked at each connection. deliver
// must be quick: what comes meanwhile waits in the connection.
func (c *Client) Follow(ctx context.Context, mark func() protocol.Mark, deliver func(Update)) error {
	failures := 0
	for ctx.Err() == nil {
		began := c.opts.Now()
		err := c.Watch(ctx, mark(), func(env protocol.Envelope) {
			doc, header, err := c.Open(env)
			if err != nil {
				// Asking again would bring the same bytes: the next document may be better.
				c.opts.OnState(State{Connected: true, Err: err})
				return
			}
			deliver(Update{Envelope: env, Document: doc, Header: header})
		})
		if ctx.Err() != nil {
			break
		}
		if c.opts.Now().Sub(began) > patience {
			failures = 0
		}
		failures++
		pause := c.Pause(failures, err)
		c.opts.OnState(State{Err: err, Until: c.opts.Now().Add(pause)})
		wait(ctx, pause)
	}
	return ctx.Err()
}

// hopeless is how long to wait before asking again after a refusal that only a person can lift.
const hopeless = time.Minute

// Pause is how long to wait after so many failures in a row, the last of them
// err. It is fully jittered, so that agents that lost the hub together do not
// come back together (thundering herd, RELIABILITY F24), and grants what the
// hub asked for.
func (c *Client) Pause(failures int, err error) time.Duration {
	limit := min(c.opts.Retry<<min(max(failures, 1)-1, 20), c.opts.MaxRetry)
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

// Watch listens to one stream until ctx is done or the stream breaks, which is
// an error; a refusal is a *Refused. deliver gets every envelope as it came:
// Open verifies it. Only the signature of mark is sent, since only that proves
// anything to the hub.
func (c *Client) Watch(ctx context.Context, mark protocol.Mark, deliver func(protocol.Envelope)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.opts.Silence, func() { cancel(errSilent) })
	defer watchdog.Stop()

	h := http.Header{"Accept": {protocol.MediaStream}}
	if mark.Signature != "" {
		h.Set(protocol.HeaderObeyed, mark.Signature)
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
		if !env.IsKeepAlive() {
			deliver(env)
		}
	}
}

// because prefers the reason for which we ended a request ourselves.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
