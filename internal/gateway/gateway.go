package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/time/rate"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Gateway serves agents. Any number of replicas may run; they share nothing but the hub's API.
type Gateway struct {
	cached  client.Client
	live    client.Reader
	content content.Store
	key     *HubKey
	opts    Options
	log     logr.Logger

	index    *index
	board    *board
	streams  *streams
	replays  *replays
	sessions *sessions
	outboxes *outboxes
	presence *presence
	metrics  *metrics

	allowances *allowances
	zstd       *zstd.Encoder

	joins     *rate.Limiter
	admission *rate.Limiter
	// unknown bounds the live reads that requests by unknown keys cause.
	unknown *rate.Limiter
	// stored watches the sessions that ClusterReports were written by: two agents may sit at two replicas.
	stored *sessions
	ready  atomic.Bool
	tasks  sync.WaitGroup
}

// maxReplays is how many request tokens of the last minutes are remembered: 40 bytes each.
const maxReplays = 4 << 20

// New returns a gateway that serves nothing before Run. cached reads from
// opts.Informers' cache and writes; live reads the API itself.
func New(cached client.Client, live client.Reader, store content.Store, key *HubKey, opts Options) *Gateway {
	opts = opts.withDefaults()
	g := &Gateway{
		cached: cached, live: live, content: store, key: key, opts: opts,
		log:       log.Log.WithName("gateway"),
		index:     newIndex(),
		board:     newBoard(opts.Now),
		streams:   newStreams(opts.Limits.Streams),
		replays:   newReplays(protocol.RequestLifetime+2*protocol.RequestLeeway, maxReplays),
		sessions:  newSessions(),
		metrics:   newMetrics(opts.Metrics),
		joins:     rate.NewLimiter(rate.Limit(opts.Limits.JoinsPerSecond), opts.Limits.JoinBurst),
		admission: rate.NewLimiter(rate.Limit(opts.Limits.StreamsPerSecond), opts.Limits.StreamBurst),
		unknown:   rate.NewLimiter(50, 200),
		stored:    newSessions(),
		zstd:      newEncoder(),

		allowances: newAllowances(opts.Limits),
	}
	g.outboxes = newOutboxes(g)
	g.presence = newPresence(g)
	return g
}

// newEncoder makes the encoder that all answers share; EncodeAll may be called concurrently.
func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err) // the options above are constants
	}
	return e
}

// Handler serves /agent/v1. Mount it at the root: request tokens cover the path.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+protocol.PathJoin, g.serve(g.handleJoin))
	mux.HandleFunc("GET "+protocol.PathAssignment, g.serve(g.handleAssignment))
	mux.HandleFunc("GET "+protocol.PathContent+"{id}", g.serve(g.handleContent))
	mux.HandleFunc("POST "+protocol.PathReport, g.serve(g.handleReport))
	mux.HandleFunc("POST "+protocol.PathRotate, g.serve(g.handleRotate))
	mux.HandleFunc("/agent/", g.serve(func(http.ResponseWriter, *http.Request) error {
		return refuse(protocol.CodeNotFound, "", "there is no such call")
	}))
	return mux
}

// serve turns a handler's error into the refusal that the agent reads.
func (g *Gateway) serve(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !g.ready.Load() {
			g.writeError(w, r, refuse(protocol.CodeBusy, "", "this replica is starting").after(time.Second))
			return
		}
		if err := handle(w, r); err != nil {
			g.writeError(w, r, err)
		}
	}
}

// Ready tells whether the caches have been read, for a readiness probe.
func (g *Gateway) Ready() bool { return g.ready.Load() }

// Run feeds the gateway from the informers until ctx is done, then waits for
// what it started. Streams end, and what agents reported is stored first.
func (g *Gateway) Run(ctx context.Context) error {
	if err := g.listen(ctx); err != nil {
		return err
	}
	g.presence.start(ctx)
	g.outboxes.start(ctx)
	g.ready.Store(true)
	g.audit(ctx)
	g.ready.Store(false)
	g.streams.closeAll()
	g.outboxes.stop()
	g.presence.stop()
	g.tasks.Wait()
	return nil
}

// listen registers for events and returns when the first lists were handled.
func (g *Gateway) listen(ctx context.Context) error {
	sources := []struct {
		object  client.Object
		handler toolscache.ResourceEventHandler
	}{
		{&v1alpha1.Cluster{}, events(g.clusterSet, g.clusterGone)},
		{&v1alpha1.Assignment{}, events(g.assignmentSet, g.assignmentGone)},
		{&v1alpha1.ClusterReport{}, events(g.reportSet, g.reportGone)},
	}
	var synced []toolscache.InformerSynced
	for _, s := range sources {
		informer, err := g.opts.Informers.GetInformer(ctx, s.object)
		if err != nil {
			return fmt.Errorf("watch %T: %w", s.object, err)
		}
		registration, err := informer.AddEventHandler(s.handler)
		if err != nil {
			return fmt.Errorf("watch %T: %w", s.object, err)
		}
		synced = append(synced, registration.HasSynced)
	}
	if !toolscache.WaitForCacheSync(ctx.Done(), synced...) {
		return errors.New("gateway: stopped before the caches were read")
	}
	return nil
}

// events adapts two functions to an informer's handler.
func events[T client.Object](set, gone func(T)) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) {
			if t, ok := o.(T); ok {
				set(t)
			}
		},
		UpdateFunc: func(_, o any) {
			if t, ok := o.(T); ok {
				set(t)
			}
		},
		DeleteFunc: func(o any) {
			if unknown, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			if t, ok := o.(T); ok {
				gone(t)
			}
		},
	}
}

func (g *Gateway) clusterSet(c *v1alpha1.Cluster) {
	name := client.ObjectKeyFromObject(c)
	before, after := g.index.get(name), newMember(c)
	if before.joinedAnew(after) {
		g.sessions.forget(name)
		g.stored.forget(name)
	}
	g.index.set(name, after)
	g.streams.poke(name)
	g.presence.observed(c)
}

func (g *Gateway) clusterGone(c *v1alpha1.Cluster) {
	name := client.ObjectKeyFromObject(c)
	g.index.set(name, nil)
	g.streams.poke(name)
	g.forget(name)
}

// forget drops what is remembered of a cluster that is gone.
func (g *Gateway) forget(name client.ObjectKey) {
	g.sessions.forget(name)
	g.stored.forget(name)
	g.allowances.forget(name)
	g.board.forget(objectName(name))
	g.outboxes.forget(objectName(name))
	g.presence.forget(name)
}
