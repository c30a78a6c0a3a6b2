package renderer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/muster-dev/muster/pkg/content"
)

var _ Renderer = (*Pool)(nil).Render

// errLookAgain ends a flight that set out before something was learnt of its inputs.
var errLookAgain = errors.New("look into the memo again")

// Render renders once per distinct inputs: equal inputs that are being rendered
// or were rendered lately share the result, which the caller must not change.
// Inputs are equal if they differ in facts that no template asks for.
func (p *Pool) Render(ctx context.Context, in Inputs) (content.Item, error) {
	for digest := Digest(in); ; {
		result, view, ok := p.memo.get(digest, in.Facts, time.Now())
		if ok {
			return result.item, result.err()
		}
		result, own, err := p.join(ctx, in, digest, view)
		switch {
		case errors.Is(err, errLookAgain):
			continue
		case err != nil:
			return content.Item{}, fmt.Errorf("render bundle %s: %w", in.Bundle, err)
		case own || in.Facts.Agrees(result.answers):
			return result.item, result.err()
		}
		// It was rendered for a cluster that answers otherwise: now it is known what is asked.
	}
}

// join waits for the flight of inputs that answer alike, or starts it; own says
// that these inputs were the ones rendered.
func (p *Pool) join(ctx context.Context, in Inputs, digest, view string) (result, bool, error) {
	own := false // read only once the flight has ended
	flight := p.flights.DoChan(digest+"\n"+view, func() (any, error) {
		switch known, now, ok := p.memo.get(digest, in.Facts, time.Now()); {
		case ok:
			return known, nil
		case now != view:
			return nil, errLookAgain
		}
		own = true
		made, err := p.renderOnce(in)
		if err == nil {
			p.memo.put(digest, made, time.Now())
		}
		return made, err
	})
	select {
	case <-ctx.Done():
		return result{}, false, ctx.Err()
	case done := <-flight:
		if done.Err != nil {
			return result{}, false, done.Err
		}
		return done.Val.(result), own, nil
	}
}

// Renders counts what children were asked for, the search for a file that
// breaks a limit included.
func (p *Pool) Renders() int64 { return p.renders.Load() }

// result of inputs: content, or what is wrong with them.
type result struct {
	item    content.Item
	problem *Problem
	// answers that other inputs must give to share it; none for a hit limit, which spares all others the same.
	answers map[string]string
}

func (r result) err() error {
	if r.problem == nil {
		return nil
	}
	return r.problem
}
