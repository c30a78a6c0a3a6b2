package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/sync/errgroup"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/schedule"
)

// resolveEvery is how often a constraint is looked up again at most; a lookup
// that fails is tried again ever more rarely.
const (
	resolveEvery = time.Minute
	resolveMost  = 15 * time.Minute
)

// lookTimeout bounds how long looking for newer versions may keep a repository waiting.
const lookTimeout = 20 * time.Second

// fetchBase and fetchMost bound the pause before a chart that could not be had
// is tried again.
const (
	fetchBase = 5 * time.Second
	fetchMost = 5 * time.Minute
)

// parallelFetches bounds fetches for one repository at once.
const parallelFetches = 4

// chartBook is what is remembered of a repository's charts from outside.
type chartBook struct {
	// live are the locks of the stored Bundles that have some, by bundle.
	live map[string][]v1alpha1.ChartLock
	// failed are bundles whose newest revision waits for a chart.
	failed map[string]*attempt
	// warnings say which constraints could not be looked up again.
	warnings []v1alpha1.Problem
	login    login

	mu    sync.Mutex // guards looks
	looks map[lookKey]*chartLook
}

// attempt counts failures, and says when the next try is.
type attempt struct {
	failures int
	next     time.Time
}

// fail notes one more failure.
func (a *attempt) fail(now time.Time, base, most time.Duration) {
	a.failures++
	a.next = now.Add(schedule.Backoff(a.failures, base, most))
}

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

func newChartBook() *chartBook {
	return &chartBook{live: map[string][]v1alpha1.ChartLock{}, failed: map[string]*attempt{}, looks: map[lookKey]*chartLook{}}
}

// retry is when a chart that could not be had is tried next; zero for never.
func (k *chartBook) retry() time.Time {
	var first time.Time
	for _, a := range k.failed {
		if first.IsZero() || a.next.Before(first) {
			first = a.next
		}
	}
	return first
}

// learn takes over what the stored Bundles have locked.
func (k *chartBook) learn(own []v1alpha1.Bundle) {
	clear(k.live)
	for _, b := range own {
		if len(b.Spec.Source.Charts) > 0 {
			k.live[b.Name] = b.Spec.Source.Charts
		}
	}
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

// chartsOf adds to every bundle the charts that do not lie in the repository. A
// bundle whose chart cannot be had is broken: it keeps its last good revision.
func (c *Controller) chartsOf(ctx context.Context, g *v1alpha1.GitRepo, r *repo, own []v1alpha1.Bundle, result bundle.Result) (bundle.Result, map[string][]v1alpha1.ChartLock) {
	stored := map[string]*v1alpha1.Bundle{}
	for i := range own {
		stored[own[i].Name] = &own[i]
	}
	problems := make([]*v1alpha1.Problem, len(result.Bundles))
	locks := make([][]v1alpha1.ChartLock, len(result.Bundles))
	var group errgroup.Group
	group.SetLimit(parallelFetches)
	for i := range result.Bundles {
		b := &result.Bundles[i]
		refs := bundle.RemoteCharts(b.Files, b.Spec)
		if b.Unchanged || len(refs) == 0 {
			continue
		}
		group.Go(func() error {
			locks[i], problems[i] = c.addCharts(ctx, g, r, b, refs, stored[b.Name])
			return nil
		})
	}
	_ = group.Wait() // Errors are problems, by bundle.
	return r.charts.sort(c.clock.Now(), result, problems, locks)
}

// sort moves bundles without their charts to Broken.
func (k *chartBook) sort(now time.Time, result bundle.Result, problems []*v1alpha1.Problem, locks [][]v1alpha1.ChartLock) (bundle.Result, map[string][]v1alpha1.ChartLock) {
	out := result
	out.Bundles, out.Broken, out.Problems = nil, slices.Clone(result.Broken), slices.Clone(result.Problems)
	byName, failed := map[string][]v1alpha1.ChartLock{}, map[string]*attempt{}
	for i, b := range result.Bundles {
		if problems[i] == nil {
			out.Bundles = append(out.Bundles, b)
			byName[b.Name] = locks[i]
			continue
		}
		out.Broken, out.Problems = append(out.Broken, b.Name), append(out.Problems, *problems[i])
		a := &attempt{}
		if before := k.failed[b.Name]; before != nil {
			*a = *before
		}
		a.fail(now, fetchBase, fetchMost)
		failed[b.Name] = a
	}
	k.failed = failed
	return out, byName
}

// addCharts fetches what one bundle needs and adds it to its files.
func (c *Controller) addCharts(ctx context.Context, g *v1alpha1.GitRepo, r *repo, b *bundle.Bundle, refs []bundle.ChartRef, stored *v1alpha1.Bundle) ([]v1alpha1.ChartLock, *v1alpha1.Problem) {
	had := c.storedCharts(ctx, stored)
	var locks []v1alpha1.ChartLock
	files := slices.Clone(b.Files)
	for _, ref := range refs {
		chart, err := c.chart(ctx, g, r, b.Path, ref, had)
		if err != nil {
			return nil, unavailable(b, ref, err)
		}
		locks = append(locks, chart.Lock)
		files = append(files, bundle.File{Path: ref.File(), Data: chart.Archive})
	}
	slices.SortFunc(files, func(x, y bundle.File) int { return strings.Compare(x.Path, y.Path) })
	b.Files = files
	return locks, nil
}

// chart is one reference's archive: what was locked stays locked until a
// constraint is looked up again.
func (c *Controller) chart(ctx context.Context, g *v1alpha1.GitRepo, r *repo, path string, ref bundle.ChartRef, had storedCharts) (charts.Chart, error) {
	lock, locked := had.lock(ref)
	if floats(ref) {
		if look := c.lookUp(ctx, g, r, ref, path); look.err == nil {
			lock, locked = look.lock, true
		} else if !locked {
			return charts.Chart{}, look.err
		}
	}
	if archive := had.archive(ref, lock); locked && archive != nil {
		return charts.Chart{Lock: lock, Archive: archive}, nil
	}
	credential, err := c.credential(ctx, g, &r.charts.login, ref, path)
	if err != nil {
		return charts.Chart{}, err
	}
	var chart charts.Chart
	if locked {
		chart, err = c.charts.FetchLocked(ctx, lock, credential)
	} else {
		chart, err = c.charts.Fetch(ctx, ref, credential)
	}
	r.charts.login.judge(err)
	return chart, err
}

// unavailable says where a chart is asked for that cannot be had.
func unavailable(b *bundle.Bundle, ref bundle.ChartRef, err error) *v1alpha1.Problem {
	pos := chartPosition(b, ref)
	return &v1alpha1.Problem{
		File: pos.File, Line: pos.Line, Column: pos.Column, Bundle: b.Name, Severity: bundle.Error, Code: v1alpha1.ReasonChartUnavailable,
		Message: clipped(fmt.Sprintf("chart %s: %v; the last good revision stays live", ref.Chart, err)),
	}
}

func chartPosition(b *bundle.Bundle, ref bundle.ChartRef) bundle.Position {
	for i, c := range b.Spec.TargetCustomizations {
		h := c.Helm
		if h == nil || h.Chart != nil && *h.Chart != ref.Chart || h.Version != nil && *h.Version != ref.Version || h.Chart == nil && h.Version == nil {
			continue
		}
		for _, key := range []string{"helm.chart", "helm.version"} {
			if pos, ok := b.Where[fmt.Sprintf("targetCustomizations[%d].%s", i, key)]; ok {
				return pos
			}
		}
	}
	for _, key := range []string{"helm.chart", "helm.version", "helm"} {
		if pos, ok := b.Where[key]; ok {
			return pos
		}
	}
	return bundle.Position{File: b.Path}
}

func clipped(s string) string {
	const limit = 1024
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit-3], "") + "..."
}

// storedCharts are the locks and archives of a stored Bundle: what is live needs
// no network.
type storedCharts struct {
	locks []v1alpha1.ChartLock
	files []bundle.File
}

func (c *Controller) storedCharts(ctx context.Context, b *v1alpha1.Bundle) storedCharts {
	if b == nil || b.Spec.Source == nil || len(b.Spec.Source.Charts) == 0 {
		return storedCharts{}
	}
	out := storedCharts{locks: b.Spec.Source.Charts}
	data, err := c.deployer.Store.Get(ctx, b.Namespace, content.ID(b.Spec.Inputs))
	if err != nil {
		return out // Then they are fetched again.
	}
	if inputs, err := distribution.DecodeInputs(data); err == nil {
		out.files = inputs.Files
	}
	return out
}

func (s storedCharts) lock(ref bundle.ChartRef) (v1alpha1.ChartLock, bool) {
	for _, lock := range s.locks {
		if refOf(lock) == ref {
			return lock, true
		}
	}
	return v1alpha1.ChartLock{}, false
}

// archive is the stored one, if it is the one that is locked.
func (s storedCharts) archive(ref bundle.ChartRef, lock v1alpha1.ChartLock) []byte {
	for _, f := range s.files {
		if f.Path != ref.File() {
			continue
		}
		if sum := sha256.Sum256(f.Data); lock.Digest == "sha256:"+hex.EncodeToString(sum[:]) {
			return f.Data
		}
	}
	return nil
}
