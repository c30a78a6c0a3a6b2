package loop

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-dev/muster/pkg/agent"
	"github.com/muster-dev/muster/pkg/agent/apply"
	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/inventory"
	"github.com/muster-dev/muster/pkg/agent/items"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/agent/watch"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Options of a loop. Cluster and Trust are needed.
type Options struct {
	// Cluster is the uid that documents are made out to.
	Cluster string
	// Trust verifies the first document; each obeyed one replaces it. Not used with Open.
	Trust protocol.TrustSet
	// Open verifies a document; nil = by Trust alone.
	Open func(protocol.Envelope) (protocol.Document, protocol.Header, error)
	// Obeyed hears of every document that is obeyed, at the start of the stored one.
	Obeyed func(protocol.Document, protocol.Header)
	// Revoked hears of every refusal because the hub does not know this agent any more.
	Revoked func()
	// Session names this process in reports; empty = a random one.
	Session string
	// Version of the agent, for facts and the user agent.
	Version string
	// Appliers is how many applies and deletes run at a time. Default 12.
	Appliers int
	// Fetchers is how many contents are fetched at a time. Default 8.
	Fetchers int
	Log      *slog.Logger
}

// Loop runs one agent.
type Loop struct {
	options Options
	client  *kube.Client
	hub     agent.Hub
	shelf   *items.Shelf
	store   *inventory.Store
	applier *apply.Applier
	watcher *watch.Watcher
	log     *slog.Logger

	inbox  chan func()
	sights chan watch.Sight
	jobs   chan func()
	fetch  chan struct{} // semaphores
	write  chan struct{}
	tasks  sync.WaitGroup

	// The rest belongs to the goroutine of Run.
	core     *core.Agent
	trust    protocol.TrustSet
	session  string
	sequence int64
	facts    *protocol.Facts
	factsDue bool
	// factsStale asks for a look at what is served, learning is set while one is under way.
	factsStale, learning bool

	newest    core.Mark
	kindsDue  bool
	keeping   bool
	synced    bool
	refused   string
	statistic Statistics
}

// New returns a loop that has done nothing yet.
func New(client *kube.Client, hub agent.Hub, o Options) (*Loop, error) {
	shelf, err := items.NewShelf()
	if err != nil {
		return nil, err
	}
	if o.Appliers <= 0 {
		o.Appliers = 12
	}
	if o.Fetchers <= 0 {
		o.Fetchers = 8
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Session == "" {
		o.Session = rand.Text()
	}
	l := &Loop{
		options: o, client: client, hub: hub, shelf: shelf, log: o.Log,
		store: inventory.NewStore(client, shelf), applier: apply.New(client, shelf),
		inbox: make(chan func(), 256), sights: make(chan watch.Sight, 64),
		jobs: make(chan func(), core.MaxInFlight), fetch: make(chan struct{}, o.Fetchers), write: make(chan struct{}, 4),
		trust: o.Trust, session: o.Session,
	}
	l.watcher = watch.New(client, l.sights)
	return l, nil
}

// Run keeps the cluster as its document says until ctx ends.
func (l *Loop) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer l.tasks.Wait()
	defer l.watcher.Wait()
	defer cancel()
	if err := l.begin(ctx); err != nil {
		return err
	}
	for range l.options.Appliers {
		l.tasks.Go(func() { l.work(ctx) })
	}
	mark := wireMark(l.core.Mark())
	l.tasks.Go(func() { l.listen(ctx, mark) })
	l.every(ctx)
	return nil
}

// every is the one select loop. What has piled up is stepped in before the
// effects are asked for, so that a burst is one decision.
func (l *Loop) every(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-l.inbox:
			f()
		case s := <-l.sights:
			l.see(s)
		case <-timer.C:
		}
		l.drain()
		ready := l.core.Ready(time.Now())
		l.perform(ctx, ready)
		l.keepWatches(ctx)
		l.keepFacts(ctx)
		wake(timer, ready.Wake)
	}
}

// drain takes what is waiting, but not for ever.
func (l *Loop) drain() {
	for range 128 {
		select {
		case f := <-l.inbox:
			f()
		case s := <-l.sights:
			l.see(s)
		default:
			return
		}
	}
}

func wake(timer *time.Timer, at time.Time) {
	if at.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(max(time.Until(at), 0))
}

// post runs f on the goroutine that owns the core.
func (l *Loop) post(ctx context.Context, f func()) {
	select {
	case l.inbox <- f:
	case <-ctx.Done():
	}
}

// answer steps an event in from another goroutine.
func (l *Loop) answer(ctx context.Context, e core.Event) {
	l.post(ctx, func() { l.core.Step(e) })
}

// work performs applies and deletes.
func (l *Loop) work(ctx context.Context) {
	for {
		select {
		case job := <-l.jobs:
			job()
		case <-ctx.Done():
			return
		}
	}
}

// limited runs f in the background when the semaphore has room.
func (l *Loop) limited(ctx context.Context, semaphore chan struct{}, f func()) {
	l.tasks.Go(func() {
		select {
		case semaphore <- struct{}{}:
			defer func() { <-semaphore }()
			f()
		case <-ctx.Done():
		}
	})
}

func wireMark(m core.Mark) protocol.Mark {
	return protocol.Mark{Assignment: m.Assignment, Epoch: m.Epoch, Revision: m.Revision, Signature: m.Signature}
}

// begin reads the state, rebuilds what was lost, and makes the core.
func (l *Loop) begin(ctx context.Context) error {
	found, err := l.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := l.client.Kinds.Refresh(ctx); err != nil {
		return fmt.Errorf("begin: discover: %w", err)
	}
	if err := l.learnFacts(ctx); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := l.rebuild(ctx, &found); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	l.core = core.New(l.options.Cluster, found.Saved)
	if d := found.Journal.Document; d != nil {
		l.adopt(*d, protocol.Header{Assignment: d.Assignment, Epoch: d.Epoch, Revision: d.Revision})
	}
	l.kindsDue = true
	l.log.Info("agent began", "bundles", len(found.Bundles), "revision", found.Journal.Mark.Revision, "lost", len(found.Lost), "fresh", found.Fresh)
	return nil
}

// adopt takes the trust of a document that is obeyed.
func (l *Loop) adopt(d protocol.Document, h protocol.Header) {
	if len(d.Trust.HubKeys) > 0 {
		l.trust = d.Trust
	}
	if l.options.Obeyed != nil {
		l.options.Obeyed(d, h)
	}
}

func (l *Loop) open(e protocol.Envelope) (protocol.Document, protocol.Header, error) {
	if l.options.Open != nil {
		return l.options.Open(e)
	}
	return protocol.Open(e, l.trust)
}
