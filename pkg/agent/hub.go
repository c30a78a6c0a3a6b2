package agent

import (
	"context"

	"github.com/muster-dev/muster/pkg/protocol"
)

// Hub is what the agent needs of the gateway.
type Hub interface {
	// Watch streams documents newer than mark until ctx ends or the stream
	// breaks, which is an error. A refusal is a *protocol.Error.
	Watch(ctx context.Context, mark protocol.Mark, deliver func(protocol.Envelope)) error
	// Content returns the bytes of an item, whose digest the caller checks.
	Content(ctx context.Context, id string) ([]byte, error)
	// Report delivers a report; a later one replaces it.
	Report(ctx context.Context, r protocol.Report) error
}
