package renderer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// Pool renders in child processes that are kept warm, and remembers results.
type Pool struct {
	start   starting
	files   bool
	wall    time.Duration
	idleFor time.Duration
	limits  Limits
	slots   chan struct{}
	memo    *memo
	flights singleflight.Group
	renders atomic.Int64
	// alive ends with Close and stops every render.
	alive context.Context
	stop  context.CancelFunc
	ended sync.Once

	mu   sync.Mutex // guards idle
	idle []*resting
}

// resting is a worker between renders, with the timer that will dismiss it.
type resting struct {
	*worker
	dismissal *time.Timer
}

// New makes a pool; children are started when they are needed.
func New(opts Options) (*Pool, error) {
	opts = opts.withDefaults()
	binary, args, err := program(opts.Binary)
	if err != nil {
		return nil, err
	}
	limits := Limits{MemoryBytes: opts.MemoryBytes, CPU: opts.CPU, OutputBytes: opts.OutputBytes, MaxObjects: opts.MaxObjects, Renders: opts.RendersPerWorker}
	alive, stop := context.WithCancel(context.Background())
	return &Pool{
		start: starting{binary: binary, args: args, limits: limits, within: opts.StartWithin},
		wall:  opts.Wall, idleFor: opts.IdleFor, limits: limits,
		slots: make(chan struct{}, opts.Workers),
		memo:  newMemo(opts.MemoBytes),
		files: opts.Files,
		alive: alive, stop: stop,
	}, nil
}

// program finds what to start.
func program(binary string) (path string, args []string, err error) {
	if binary != "" {
		// Children start in /, where a relative path would mean something else.
		path, err = filepath.Abs(binary)
		return path, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("find the render program: %w", err)
	}
	beside := filepath.Join(filepath.Dir(self), "muster-render")
	if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
		return beside, nil, nil
	}
	return self, []string{ChildArgument}, nil
}

// renderOnce occupies a slot. It lives as long as the pool, not as long as the
// caller who happened to come first, since others wait for the same result.
func (p *Pool) renderOnce(in Inputs) (result, error) {
	select {
	case <-p.alive.Done():
		return result{}, errors.New("the pool is closed")
	case p.slots <- struct{}{}:
	}
	defer func() { <-p.slots }()
	resp, fault, err := p.try(in)
	switch {
	case err != nil:
		return result{}, err
	case fault != nil:
		return result{problem: newProblem(in, fault, nil)}, nil
	case resp.Fault != nil:
		return result{problem: newProblem(in, resp.Fault, resp.Answers), answers: resp.Answers}, nil
	case !resp.Rendered:
		return result{}, errors.New("the render process answered nothing")
	}
	return result{item: itemOf(in, resp), answers: resp.Answers}, nil
}

// itemOf takes from a child its objects and what it says of them. Whose they are
// and by which rights they are applied is not a child's to say.
func itemOf(in Inputs, resp response) content.Item {
	return content.Item{
		Version: content.Version, Kind: content.KindManifests, Bundle: in.Bundle, Options: ContentOptions(in),
		Objects: resp.Objects, Files: resp.Files, Origins: resp.Origins, Answers: resp.Answers,
	}
}

// try renders on a worker, or on a new one if a resting worker turns out to be
// gone: what ended it had nothing to do with these inputs.
func (p *Pool) try(in Inputs) (response, *manifest.Fault, error) {
	w, err := p.take(p.alive)
	if err != nil {
		return response{}, nil, err
	}
	rested := w.rested
	resp, fault, err := p.ask(w, in)
	if err == nil || !rested || p.alive.Err() != nil {
		return resp, fault, err
	}
	if w, err = p.start.worker(p.alive); err != nil {
		return response{}, nil, err
	}
	return p.ask(w, in)
}

// ask has a worker render. If a limit ends the child, the render is run once
// more file by file, only to name the file.
func (p *Pool) ask(w *worker, in Inputs) (response, *manifest.Fault, error) {
	ctx, cancel := context.WithTimeout(p.alive, p.wall)
	defer cancel()
	p.renders.Add(1)
	resp, err := w.render(ctx, request{Inputs: in, Files: p.files})
	if err == nil {
		p.rest(w)
		return resp, nil, nil
	}
	message, ok := p.limitHit(ctx, w)
	if !ok {
		return response{}, nil, fmt.Errorf("render process: %w (it said %q)", err, message)
	}
	return response{}, manifest.NewFault(or(p.trace(in), mainFile(in)), 0, manifest.LimitExceeded, "%s", message), nil
}

// limitHit says why a worker died, if the inputs are to blame.
func (p *Pool) limitHit(ctx context.Context, w *worker) (string, bool) {
	if p.alive.Err() != nil {
		return "the pool was closed", false
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Sprintf("rendering takes longer than %s", p.wall), true
	}
	return w.cause()
}

// trace finds the file a limit is hit in; "" if it does not happen again.
func (p *Pool) trace(in Inputs) string {
	w, err := p.start.worker(p.alive)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(p.alive, p.wall)
	defer cancel()
	p.renders.Add(1)
	if _, err := w.render(ctx, request{Inputs: in, Trace: true}); err == nil {
		w.close()
		return ""
	}
	return w.lastFile()
}

// take returns a resting worker or starts one.
func (p *Pool) take(ctx context.Context) (*worker, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		r.dismissal.Stop()
		return r.worker, nil
	}
	p.mu.Unlock()
	return p.start.worker(ctx)
}

// rest keeps a worker for the next render, unless it has left.
func (p *Pool) rest(w *worker) {
	if w.gone() {
		return
	}
	p.mu.Lock()
	if p.alive.Err() != nil {
		p.mu.Unlock()
		w.close()
		return
	}
	w.rested = true
	r := &resting{worker: w}
	r.dismissal = time.AfterFunc(p.idleFor, func() { p.dismiss(r) })
	p.idle = append(p.idle, r)
	p.mu.Unlock()
}

// dismiss ends a worker that is still resting.
func (p *Pool) dismiss(r *resting) {
	p.mu.Lock()
	kept := p.idle[:0]
	found := false
	for _, other := range p.idle {
		if other == r {
			found = true
			continue
		}
		kept = append(kept, other)
	}
	p.idle = kept
	p.mu.Unlock()
	if found {
		r.close()
	}
}

// Confinement starts a worker if none rests and tells what confines it.
func (p *Pool) Confinement(ctx context.Context) (Confinement, error) {
	w, err := p.take(ctx)
	if err != nil {
		return Confinement{}, err
	}
	c := w.confinement
	p.rest(w)
	return c, nil
}

// Close stops every render, ends every child and waits until none is left.
// Closing again does nothing.
func (p *Pool) Close() { p.ended.Do(p.close) }

func (p *Pool) close() {
	p.stop()
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, r := range idle {
		r.dismissal.Stop()
		r.close()
	}
	// Renders under way were killed by stop; taking every slot waits for them.
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
}
