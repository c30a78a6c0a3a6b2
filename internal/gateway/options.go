package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/protocol"
)

// Informers gives the informers of the cached client: a controller-runtime cache.
type Informers interface {
	GetInformer(ctx context.Context, obj client.Object, opts ...cache.InformerGetOption) (cache.Informer, error)
}

// Options of a Gateway. The zero value of everything but Namespace and Informers works.
type Options struct {
	// Namespace of the manager, where Assignments and ClusterReports live.
	Namespace string
	// Informers of the cache that the cached client reads.
	Informers Informers
	// OnHubWentBack is called when an agent proved that it obeyed a document
	// newer than the store, by a live read.
	OnHubWentBack func(context.Context, protocol.Header)
	// Metrics takes the gateway's metrics; nil = none.
	Metrics prometheus.Registerer
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Limits bound what agents can ask.
	Limits Limits
	// Timing is how long things wait.
	Timing Timing
}

// Limits bound what agents can ask; a zero field takes its default.
type Limits struct {
	// JoinsPerSecond, with bursts of JoinBurst. 20 and 50.
	JoinsPerSecond float64
	JoinBurst      int
	// StreamsPerSecond that may be opened, with bursts of StreamBurst. 500 and 1000.
	StreamsPerSecond float64
	StreamBurst      int
	// Streams open at once on this replica. 20000.
	Streams int
	// ReportsPerSecond of one cluster, with bursts of ReportBurst. 10 and 20.
	ReportsPerSecond float64
	ReportBurst      int
	// Writes to the hub's API at once. 16.
	Writes int
}

// Timing is how long things wait; a zero field takes its default.
type Timing struct {
	// KeepAlive is how often a stream gets a line at least. 30 s.
	KeepAlive time.Duration
	// Behind is how long a replica waits for its cache before it reads live. 2 s.
	Behind time.Duration
	// Coalesce is the least distance between two writes of one cluster's report. 500 ms.
	Coalesce time.Duration
	// Settle is how long a change of a Cluster's status waits for others to be merged with it. 200 ms.
	Settle time.Duration
	// Away is how long after the end of its stream a cluster counts as disconnected. 10 s.
	Away time.Duration
	// Seen is how often lastSeen is stored at most; up to a fifth is added as jitter. 5 min.
	Seen time.Duration
	// Audit is how often all streams are compared with a live list of Clusters. 50 s.
	Audit time.Duration
	// Write bounds one write to a stream. 20 s.
	Write time.Duration
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnHubWentBack == nil {
		o.OnHubWentBack = func(context.Context, protocol.Header) {}
	}
	o.Limits = o.Limits.withDefaults()
	o.Timing = o.Timing.withDefaults()
	return o
}

func (l Limits) withDefaults() Limits {
	return Limits{
		JoinsPerSecond:   or(l.JoinsPerSecond, 20),
		JoinBurst:        or(l.JoinBurst, 50),
		StreamsPerSecond: or(l.StreamsPerSecond, 500),
		StreamBurst:      or(l.StreamBurst, 1000),
		Streams:          or(l.Streams, 20000),
		ReportsPerSecond: or(l.ReportsPerSecond, 10),
		ReportBurst:      or(l.ReportBurst, 20),
		Writes:           or(l.Writes, 16),
	}
}

func (t Timing) withDefaults() Timing {
	return Timing{
		KeepAlive: or(t.KeepAlive, protocol.KeepAlive),
		Behind:    or(t.Behind, 2*time.Second),
		Coalesce:  or(t.Coalesce, 500*time.Millisecond),
		Settle:    or(t.Settle, 200*time.Millisecond),
		Away:      or(t.Away, 10*time.Second),
		Seen:      or(t.Seen, 5*time.Minute),
		Audit:     or(t.Audit, 50*time.Second),
		Write:     or(t.Write, 20*time.Second),
	}
}

func or[T comparable](got, fallback T) T {
	var zero T
	if got == zero {
		return fallback
	}
	return got
}
