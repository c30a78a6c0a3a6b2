package gateway

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// allowance is what one cluster may ask of this replica: a noisy one slows
// down itself only.
type allowance struct {
	reports *rate.Limiter
	probes  *rate.Limiter
}

// probe spends one request for content that no known document names; each costs the hub a live read.
func (a *allowance) probe(now time.Time) bool { return a.probes.AllowN(now, 1) }

// report spends one report and says how long to wait if there was none left.
func (a *allowance) report(now time.Time) (time.Duration, bool) {
	r := a.reports.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return d, false
	}
	return 0, true
}

type allowances struct {
	limits Limits
	mu     sync.Mutex
	by     map[client.ObjectKey]*allowance // guarded by mu
}

func newAllowances(l Limits) *allowances {
	return &allowances{limits: l, by: map[client.ObjectKey]*allowance{}}
}

func (a *allowances) of(name client.ObjectKey) *allowance {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.by[name]
	if got == nil {
		got = &allowance{
			reports: rate.NewLimiter(rate.Limit(a.limits.ReportsPerSecond), a.limits.ReportBurst),
			probes:  rate.NewLimiter(2, 20),
		}
		a.by[name] = got
	}
	return got
}

func (a *allowances) forget(name client.ObjectKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, name)
}
