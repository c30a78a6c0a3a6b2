package gitrepo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/sync/errgroup"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// resolveEvery is how often a constraint is looked up again at most; a lookup
// that fails is tried again ever more rarely.
const (
	resolveEvery = time.Minute
	resolveMost  = 15 * time.Minute
)

// lookTimeout bounds how long looking for newer versions may keep a repository waiting.
const lookTimeout = 20 * time.Second

// lookKey names a reference; path only where credentials go by path.
type lookKey struct {
	ref  bundle.ChartRef
	path string
}

// chartLook is what a constraint meant when it was looked up last.
type chartLook struct {
	attempt
	lock v1alpha1.ChartLock
	err  error // the first since it fails
}

func refOf(lock v1alpha1.ChartLock) bundle.ChartRef {
	return bundle.ChartRef{Repo: lock.Repo, Chart: lock.Chart, Version: lock.Version}
}

// floats tells whether a reference may mean another archive tomorrow: a
// constraint, or no version at all. An archive's URL means what it meant first.
func floats(ref bundle.ChartRef) bool {
	if ref.Repo == "" && !strings.HasPrefix(strings.ToLower(ref.Chart), "oci://") || strings.Contains(ref.Chart, "@sha256:") {
		return false
	}
	_, err := semver.StrictNewVersion(strings.TrimPrefix(ref.Version, "v"))
	return err != nil
}

// lookUpLive resolves again what live bundles ask for by a constraint, if it is
// time. It takes a bounded time, since the next look at Git waits for it.
func (c *Controller) lookUpLive(ctx context.Context, g *v1alpha1.GitRepo, r *repo) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(parallelFetches)
	asked := map[lookKey]bool{}
	r.charts.eachFloating(func(name string, lock v1alpha1.ChartLock) {
		key := keyOf(g, refOf(lock), r.paths[name])
		if asked[key] {
			return
		}
		asked[key] = true
		group.Go(func() error {
			c.lookUp(ctx, g, r, key.ref, r.paths[name])
			return nil
		})
	})
	_ = group.Wait() // What failed is remembered with each reference.
}

// staleCharts are the bundles to be read again although their directories did
// not change: a constraint of theirs means another version now, or it is time to
// try again for a chart that could not be had.
func (c *Controller) staleCharts(g *v1alpha1.GitRepo, r *repo) map[string]bool {
	stale := map[string]bool{}
	r.charts.warnings = nil
	warned := map[bundle.ChartRef]bool{}
	r.charts.eachFloating(func(name string, lock v1alpha1.ChartLock) {
		ref := refOf(lock)
		look, known := r.charts.look(keyOf(g, ref, r.paths[name]))
		switch {
		case !known:
		case look.err == nil && look.lock != lock:
			stale[name] = true
		case look.err != nil && !warned[ref]:
			warned[ref] = true
			r.charts.warnings = append(r.charts.warnings, notLookedUp(name, r.paths[name], ref, look.err))
		}
	})
	now := c.clock.Now()
	for name, a := range r.charts.failed {
		stale[name] = !now.Before(a.next)
	}
	maps.DeleteFunc(stale, func(_ string, yes bool) bool { return !yes })
	return stale
}

// eachFloating visits what live bundles have locked by a constraint, in order.
func (k *chartBook) eachFloating(visit func(name string, lock v1alpha1.ChartLock)) {
	for _, name := range slices.Sorted(maps.Keys(k.live)) {
		for _, lock := range k.live[name] {
			if floats(refOf(lock)) {
				visit(name, lock)
			}
		}
	}
}

func (k *chartBook) look(key lookKey) (chartLook, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if look := k.looks[key]; look != nil {
		return *look, true
	}
	return chartLook{}, false
}

func keyOf(g *v1alpha1.GitRepo, ref bundle.ChartRef, path string) lookKey {
	if g.Spec.HelmSecretNameForPaths == "" {
		path = ""
	}
	return lookKey{ref: ref, path: path}
}

func notLookedUp(name, path string, ref bundle.ChartRef, err error) v1alpha1.Problem {
	return v1alpha1.Problem{
		File: path, Bundle: name, Severity: bundle.Warning, Code: v1alpha1.ReasonChartUnavailable,
		Message: clipped(fmt.Sprintf("cannot look for a newer version of chart %s: %v; the version that is live stays", ref.Chart, err)),
	}
}

// lookUp resolves a constraint, at most once every resolveEvery.
func (c *Controller) lookUp(ctx context.Context, g *v1alpha1.GitRepo, r *repo, ref bundle.ChartRef, path string) chartLook {
	key, now := keyOf(g, ref, path), c.clock.Now()
	known, ok := r.charts.look(key)
	if ok && now.Before(known.next) {
		return known
	}
	next := &known
	lock, err := c.resolve(ctx, g, r, ref, path)
	if err == nil {
		*next = chartLook{lock: lock, attempt: attempt{next: now.Add(resolveEvery)}}
	} else {
		next.fail(now, resolveEvery, resolveMost)
		if next.err == nil {
			next.err = err // Its words stay while it fails: an error that differs in a port writes no status.
		}
	}
	r.charts.mu.Lock()
	defer r.charts.mu.Unlock()
	r.charts.looks[key] = next
	return *next
}

func (c *Controller) resolve(ctx context.Context, g *v1alpha1.GitRepo, r *repo, ref bundle.ChartRef, path string) (v1alpha1.ChartLock, error) {
	credential, err := c.credential(ctx, g, &r.charts.login, ref, path)
	if err != nil {
		return v1alpha1.ChartLock{}, err
	}
	lock, err := c.charts.Resolve(ctx, ref, credential)
	r.charts.login.judge(err)
	return lock, err
}
