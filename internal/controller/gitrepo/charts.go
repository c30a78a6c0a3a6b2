package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/schedule"
)

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
