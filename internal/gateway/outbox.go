package gateway

import (
	"context"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// outboxes hold the newest report of each cluster until it is stored: the first
// at once, what follows at most every Timing.Coalesce.
type outboxes struct {
	store    reportStore
	coalesce time.Duration
	now      func() time.Time
	tasks    *sync.WaitGroup
	slots    chan struct{} // bounds the writes at once
	done     <-chan struct{}
	count    func(result string)

	mu sync.Mutex
	// by object name, guarded by mu, as is what they hold, and stopped.
	by      map[string]*outbox
	stopped bool
}

type outbox struct {
	// pending is the newest report not stored yet; waiters hear what becomes of it.
	pending *v1alpha1.ClusterReportSpec
	waiters []chan error
	// running is true while a goroutine of this outbox stores or is about to.
	running bool
	stored  time.Time
	// last is the session and sequence accepted last.
	session  string
	sequence int64
	// object is the ClusterReport as last seen, from an event or a write.
	object *v1alpha1.ClusterReport
}

func newOutboxes(g *Gateway) *outboxes {
	return &outboxes{
		store:    reportStore{client: g.cached, live: g.live, namespace: g.opts.Namespace},
		coalesce: g.opts.Timing.Coalesce,
		now:      g.opts.Now,
		tasks:    &g.tasks,
		slots:    make(chan struct{}, g.opts.Limits.Writes),
		count:    g.metrics.reported,
		by:       map[string]*outbox{},
	}
}

// start ties the outboxes to the gateway's life; what is pending at its end is stored at once.
func (o *outboxes) start(ctx context.Context) { o.done = ctx.Done() }

// submit takes a report and returns when it, or a newer one of the same cluster, is stored.
func (o *outboxes) submit(ctx context.Context, c *caller, spec v1alpha1.ClusterReportSpec) error {
	stored, err := o.enqueue(c, spec)
	if err != nil {
		return err
	}
	if stored == nil {
		o.count(reportOld)
		return nil
	}
	select {
	case err := <-stored:
		if err != nil {
			return broken(err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue returns nil for a report that is older than one taken before.
func (o *outboxes) enqueue(c *caller, spec v1alpha1.ClusterReportSpec) (<-chan error, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stopped {
		return nil, refuse(protocol.CodeBusy, "", "this replica is stopping").after(time.Second)
	}
	name := objectName(c.name)
	b := o.by[name]
	if b == nil {
		b = &outbox{}
		o.by[name] = b
	}
	if b.isOld(spec) {
		return nil, nil
	}
	b.session, b.sequence = spec.Session, spec.Sequence
	b.pending = &spec
	stored := make(chan error, 1)
	b.waiters = append(b.waiters, stored)
	if !b.running {
		b.running = true
		o.tasks.Add(1)
		go o.drain(name, b)
	}
	return stored, nil
}

// stop takes no more reports. What was taken is stored: the gateway waits for it.
func (o *outboxes) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
}

// isOld compares with what this replica accepted and with what is stored.
func (b *outbox) isOld(spec v1alpha1.ClusterReportSpec) bool {
	if spec.Session == b.session {
		return spec.Sequence <= b.sequence
	}
	return b.session == "" && b.object != nil &&
		b.object.Spec.Session == spec.Session && spec.Sequence <= b.object.Spec.Sequence
}

// drain stores what is pending until nothing is.
func (o *outboxes) drain(name string, b *outbox) {
	defer o.tasks.Done()
	for {
		o.pause(b)
		o.slots <- struct{}{}
		spec, waiters, object := o.take(b)
		if spec == nil {
			<-o.slots
			return
		}
		// Its own deadline, not the request's: the agent may be gone and the report still true.
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		written, result, err := o.store.put(ctx, name, object, *spec)
		cancel()
		<-o.slots
		o.finish(b, written, err)
		o.count(result)
		for _, w := range waiters {
			w <- err
		}
	}
}

// pause keeps the distance between two writes; a gateway that stops does not wait.
func (o *outboxes) pause(b *outbox) {
	o.mu.Lock()
	wait := b.stored.Add(o.coalesce).Sub(o.now())
	o.mu.Unlock()
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-o.done:
	}
}

// take empties the outbox, or ends its goroutine if it is empty.
func (o *outboxes) take(b *outbox) (*v1alpha1.ClusterReportSpec, []chan error, *v1alpha1.ClusterReport) {
	o.mu.Lock()
	defer o.mu.Unlock()
	spec, waiters := b.pending, b.waiters
	b.pending, b.waiters = nil, nil
	b.running = spec != nil
	return spec, waiters, b.object
}

func (o *outboxes) finish(b *outbox, written *v1alpha1.ClusterReport, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b.stored = o.now()
	if err != nil {
		if b.pending == nil {
			// The agent will send it again, with the same sequence.
			b.session, b.sequence = "", 0
		}
		return
	}
	if written != nil {
		b.object = newerObject(b.object, written)
	}
}

// observed takes a ClusterReport from an event.
func (o *outboxes) observed(r *v1alpha1.ClusterReport) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.by[r.Name]
	if b == nil {
		b = &outbox{}
		o.by[r.Name] = b
	}
	b.object = newerObject(b.object, r)
}

// gone takes the deletion of a ClusterReport: the next report is written whatever it says.
func (o *outboxes) gone(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.by[name]; b != nil {
		b.object = nil
	}
}

// forget drops a cluster that is gone, unless something is being stored for it.
func (o *outboxes) forget(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.by[name]; b != nil && !b.running {
		delete(o.by, name)
	}
}

func (g *Gateway) reportSet(r *v1alpha1.ClusterReport) {
	if r.Namespace != g.opts.Namespace {
		return
	}
	g.outboxes.observed(r)
	workspace, cluster, _ := strings.Cut(r.Name, ".")
	name := client.ObjectKey{Namespace: workspace, Name: cluster}
	if g.stored.observe(name, r.Spec.Session, g.opts.Now()) {
		g.presence.quarantine(name, twoAgents)
	}
}

func (g *Gateway) reportGone(r *v1alpha1.ClusterReport) {
	if r.Namespace == g.opts.Namespace {
		g.outboxes.gone(r.Name)
	}
}
