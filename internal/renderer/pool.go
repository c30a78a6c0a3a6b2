package renderer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// Options of a pool; the zero value works.
type Options struct {
	// Binary is the render program; empty = muster-render beside this executable,
	// else this executable with ChildArgument.
	Binary string
	// Workers is how many renders run at once; 0 = half the processors, at least 1, at most 4.
	Workers int
	// MemoryBytes one child may use; 0 = 512 MiB.
	MemoryBytes int64
	// CPU time of one render; 0 = 30 s.
	CPU time.Duration
	// Wall time of one render, waiting for a worker not counted; 0 = 60 s.
	Wall time.Duration
	// OutputBytes of one render; 0 = 16 MiB.
	OutputBytes int64
	// MaxObjects of one bundle; 0 = 20,000.
	MaxObjects int
	// RendersPerWorker until a child is replaced; 0 = 200.
	RendersPerWorker int
	// IdleFor is how long an unused child is kept; 0 = 60 s.
	IdleFor time.Duration
	// MemoBytes of results kept in memory; 0 = 64 MiB, negative = none.
	MemoBytes int64
	// Files fills content.Item.Files and Origins: in which file each object stands,
	// and which template functions made its volatile values.
	Files bool
}

func (o Options) withDefaults() Options {
	o.Workers = or(o.Workers, min(max(runtime.GOMAXPROCS(0)/2, 1), 4))
	o.MemoryBytes = or(o.MemoryBytes, 512<<20)
	o.CPU = or(o.CPU, 30*time.Second)
	o.Wall = or(o.Wall, 60*time.Second)
	o.OutputBytes = or(o.OutputBytes, 16<<20)
	o.MaxObjects = or(o.MaxObjects, 20_000)
	o.RendersPerWorker = or(o.RendersPerWorker, 200)
	o.IdleFor = or(o.IdleFor, time.Minute)
	o.MemoBytes = or(o.MemoBytes, 64<<20)
	return o
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Pool renders in child processes that are kept warm, and remembers results.
type Pool struct {
	binary  string
	args    []string
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
	alive, stop := context.WithCancel(context.Background())
	return &Pool{
		binary: binary, args: args, wall: opts.Wall, idleFor: opts.IdleFor,
		limits: Limits{MemoryBytes: opts.MemoryBytes, CPU: opts.CPU, OutputBytes: opts.OutputBytes, MaxObjects: opts.MaxObjects, Renders: opts.RendersPerWorker},
		slots:  make(chan struct{}, opts.Workers),
		memo:   newMemo(opts.MemoBytes),
		files:  opts.Files,
		alive:  alive, stop: stop,
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
		return result{problem: newProblem(in, fault)}, nil
	case resp.Fault != nil:
		return result{problem: newProblem(in, resp.Fault), answers: resp.Answers}, nil
	case resp.Item == nil:
		return result{}, errors.New("the render process answered nothing")
	}
	resp.Item.Files, resp.Item.Origins, resp.Item.Answers = resp.Files, resp.Origins, resp.Answers
	return result{item: *resp.Item, answers: resp.Answers}, nil
}

// try renders on a worker. If a limit ends the child, the render is run once
// more file by file, only to name the file.
func (p *Pool) try(in Inputs) (response, *manifest.Fault, error) {
	ctx, cancel := context.WithTimeout(p.alive, p.wall)
	defer cancel()
	w, err := p.take(ctx)
	if err != nil {
		return response{}, nil, err
	}
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
	return response{}, manifest.NewFault(p.trace(in), 0, manifest.LimitExceeded, "%s", message), nil
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
	ctx, cancel := context.WithTimeout(p.alive, p.wall)
	defer cancel()
	w, err := startWorker(ctx, p.binary, p.args, p.limits)
	if err != nil {
		return ""
	}
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
	return startWorker(ctx, p.binary, p.args, p.limits)
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
