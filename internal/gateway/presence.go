package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// presence keeps the part of Cluster.status that belongs to the gateway:
// merged, and written only when it says something new or lastSeen grew old.
// Liveness itself stays in memory.
type presence struct {
	client client.Client
	live   client.Reader
	now    func() time.Time
	timing Timing
	online func(client.ObjectKey) bool
	failed func(error, client.ObjectKey)
	tasks  *sync.WaitGroup
	slots  chan struct{}

	mu sync.Mutex
	by map[client.ObjectKey]*attendance // guarded by mu, as is what they hold
	// ctx ends with the gateway: what is not written then is found by the next
	// one. Guarded by mu, as is stopped.
	ctx     context.Context
	stopped bool
}

// attendance is what is remembered of one cluster.
type attendance struct {
	want  wish
	timer *time.Timer
	// due is when timer fires; zero = nothing is planned.
	due time.Time
	// factsAt is when facts were stored last.
	factsAt time.Time
}

// wish is what Cluster.status shall say.
type wish struct {
	connected *bool
	// awayFrom is when "not connected" may be written.
	awayFrom   time.Time
	facts      *v1alpha1.ClusterFacts
	quarantine string
	promote    string
	// seen is when the agent was last heard.
	seen time.Time
}

func newPresence(g *Gateway) *presence {
	return &presence{
		client: g.cached, live: g.live, now: g.opts.Now, timing: g.opts.Timing, online: g.streams.has, tasks: &g.tasks,
		slots: make(chan struct{}, g.opts.Limits.Writes),
		by:    map[client.ObjectKey]*attendance{},
		failed: func(err error, name client.ObjectKey) {
			g.log.Error(err, "Could not store a cluster's presence", "cluster", name)
		},
	}
}

func (p *presence) start(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx = ctx
}

// stop writes no more; what is being written is finished.
func (p *presence) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// connected notes that a stream was opened.
func (p *presence) connected(name client.ObjectKey) {
	yes := true
	p.want(name, p.timing.Settle, func(w *wish) { w.connected, w.seen = &yes, p.now() })
}

// disconnected notes that the last stream ended. Most agents are back at once,
// perhaps elsewhere: the cluster counts as away only after a while.
func (p *presence) disconnected(name client.ObjectKey) {
	no := false
	p.want(name, p.timing.Away, func(w *wish) {
		w.connected, w.seen, w.awayFrom = &no, p.now(), p.now().Add(p.timing.Away)
	})
}

// facts notes what an agent said of its cluster.
func (p *presence) facts(name client.ObjectKey, f *v1alpha1.ClusterFacts) {
	p.want(name, p.factsDelay(name), func(w *wish) { w.facts, w.seen = f, p.now() })
}

// factsEvery bounds how often facts that flap are stored.
const factsEvery = 10 * time.Second

func (p *presence) factsDelay(name client.ObjectKey) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.by[name]
	if a == nil {
		return p.timing.Settle
	}
	return max(p.timing.Settle, a.factsAt.Add(factsEvery).Sub(p.now()))
}

// seen notes that an agent was heard; it causes no write by itself.
func (p *presence) seen(name client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.by[name]; a != nil {
		a.want.seen = p.now()
	}
}

// quarantine freezes an identity until an operator resets it.
func (p *presence) quarantine(name client.ObjectKey, why string) {
	p.want(name, 0, func(w *wish) { w.quarantine = why })
}

// promote makes an announced key the current one: it was used.
func (p *presence) promote(name client.ObjectKey, keyID string) {
	p.want(name, 0, func(w *wish) { w.promote = keyID })
}

// observed takes a Cluster from an event. Another replica may have said that a
// cluster is away which listens here.
func (p *presence) observed(c *v1alpha1.Cluster) {
	name := client.ObjectKeyFromObject(c)
	if isAway(c.Status) && p.online(name) {
		p.connected(name)
	}
}

func (p *presence) forget(name client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.by[name]; a != nil {
		if a.timer != nil {
			a.timer.Stop()
		}
		delete(p.by, name)
	}
}

// want changes a wish and sees that it is written after a delay at the latest.
func (p *presence) want(name client.ObjectKey, delay time.Duration, change func(*wish)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.by[name]
	if a == nil {
		a = &attendance{}
		p.by[name] = a
	}
	change(&a.want)
	p.scheduleLocked(name, a, delay)
}

// scheduleLocked plans a write, unless an earlier one is planned: it will carry all there is.
func (p *presence) scheduleLocked(name client.ObjectKey, a *attendance, delay time.Duration) {
	due := p.now().Add(delay)
	if !a.due.IsZero() && a.due.Before(due) {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.due = due
	a.timer = time.AfterFunc(delay, func() { p.write(name) })
}

// write stores a wish, and plans the next write of lastSeen.
func (p *presence) write(name client.ObjectKey) {
	ctx, w, ok := p.begin(name)
	if !ok {
		return
	}
	defer p.tasks.Done()
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := p.store(ctx, name, w)
	if err != nil && ctx.Err() == nil {
		p.failed(err, name)
	}
	p.end(name, w, err)
}

func (p *presence) begin(name client.ObjectKey) (context.Context, wish, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.by[name]
	if a == nil || p.ctx == nil || p.stopped || p.ctx.Err() != nil {
		return nil, wish{}, false
	}
	p.tasks.Add(1)
	a.due = time.Time{}
	w := a.want
	if w.connected != nil && !*w.connected && p.now().Before(w.awayFrom) {
		w.connected = nil // not yet: most agents are back at once
	}
	return p.ctx, w, true
}

// end plans what comes next: another try, or the next lastSeen of a cluster that listens.
func (p *presence) end(name client.ObjectKey, done wish, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.by[name]
	if a == nil {
		return
	}
	if err != nil {
		p.scheduleLocked(name, a, jitter(5*time.Second))
		return
	}
	if done.facts != nil {
		a.factsAt = p.now()
	}
	a.want = a.want.without(done)
	switch {
	case p.online(name):
		p.scheduleLocked(name, a, p.timing.Seen+jitter(p.timing.Seen/5))
	case a.want.connected != nil:
		p.scheduleLocked(name, a, a.want.awayFrom.Sub(p.now()))
	}
}

// without forgets what was stored.
func (w wish) without(done wish) wish {
	if w.connected == done.connected {
		w.connected = nil
	}
	if w.facts == done.facts {
		w.facts = nil
	}
	if w.quarantine == done.quarantine {
		w.quarantine = ""
	}
	if w.promote == done.promote {
		w.promote = ""
	}
	return w
}

// store writes the status if it differs, by compare-and-swap: the rest of it
// belongs to others. The cached object is tried first, a conflict reads live.
func (p *presence) store(ctx context.Context, name client.ObjectKey, w wish) error {
	var reader client.Reader = p.client
	for range maxConflicts {
		var c v1alpha1.Cluster
		if err := reader.Get(ctx, name, &c); err != nil {
			return client.IgnoreNotFound(fmt.Errorf("get cluster %s: %w", name, err))
		}
		if p.online(name) {
			yes := true
			w.connected, w.seen = &yes, p.now()
		}
		if !record(&c, w, p.now(), p.timing.Seen) {
			return nil
		}
		err := p.client.Status().Update(ctx, &c)
		switch {
		case err == nil:
			return nil
		case apierrors.IsNotFound(err):
			return nil
		case !apierrors.IsConflict(err):
			return fmt.Errorf("update status of cluster %s: %w", name, err)
		}
		reader = p.live
	}
	return fmt.Errorf("update status of cluster %s: it changed %d times meanwhile", name, maxConflicts)
}
