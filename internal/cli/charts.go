package cli

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// chartSource gives charts that a bundle names and does not hold.
type chartSource struct {
	// fetch is nil if nothing may be fetched.
	fetch func(ctx context.Context, ref bundle.ChartRef) ([]byte, error)

	mu      sync.Mutex // guards fetched
	fetched map[bundle.ChartRef]*fetchedChart
}

// charts is where charts come from that are not in the repository.
func (f *renderFlags) charts() *chartSource {
	if !f.FetchCharts {
		return &chartSource{}
	}
	var options charts.Options
	if dir, err := os.UserCacheDir(); err == nil { // else nothing is kept
		options.CacheDir = filepath.Join(dir, "muster", "charts")
	}
	fetcher := charts.New(options)
	return &chartSource{fetch: func(ctx context.Context, ref bundle.ChartRef) ([]byte, error) {
		chart, err := fetcher.Fetch(ctx, ref, charts.Credential{})
		return chart.Archive, err
	}}
}

// fetchedChart is fetched once, for all who ask.
type fetchedChart struct {
	once sync.Once
	data []byte
	err  error
}

// chartElsewhere says that a chart is not in the repository, and may not be fetched.
type chartElsewhere struct {
	ref bundle.ChartRef
	// needs is where the chart is named: an option, or the file of a chart that depends on it.
	needs needed
}

func (e *chartElsewhere) Error() string {
	return e.needs.prefix() + chartText(e.ref) + " is not in the repository"
}

// needed is what names a chart: helm.chart if file is empty.
type needed struct{ file string }

func (n needed) prefix() string {
	if n.file != "" {
		return "dependency: "
	}
	return "helm.chart: "
}

// neededBy tells the chart itself from the dependencies of one that is at hand.
func neededBy(o v1alpha1.BundleOptions) needed {
	if _, remote := bundle.RemoteChart(o); remote {
		return needed{}
	}
	dir := ""
	if o.Helm != nil && o.Helm.Chart != nil && *o.Helm.Chart != "-" {
		dir = *o.Helm.Chart
	}
	return needed{file: path.Join(dir, "Chart.yaml")}
}

// chartText is a reference in people's words.
func chartText(ref bundle.ChartRef) string {
	text := "chart " + ref.Chart
	if ref.Repo != "" {
		text += " of " + ref.Repo
	}
	if ref.Version != "" {
		text += fmt.Sprintf(" (version %s)", ref.Version)
	}
	return text
}

// files are those of a bundle and the archives that its options need besides.
func (c *chartSource) files(ctx context.Context, files []bundle.File, o v1alpha1.BundleOptions) ([]bundle.File, error) {
	refs := bundle.RemoteCharts(files, v1alpha1.BundleSpec{BundleOptions: o})
	if len(refs) == 0 {
		return files, nil
	}
	needs := neededBy(o)
	all := slices.Clip(files)
	for _, ref := range refs {
		if c.fetch == nil {
			return nil, &chartElsewhere{ref, needs}
		}
		data, err := c.once(ctx, ref)
		if err != nil {
			return nil, &renderer.Problem{Problem: bundle.Problem{Code: v1alpha1.ReasonChartUnavailable, File: needs.file, Message: needs.prefix() + err.Error()}}
		}
		all = append(all, bundle.File{Path: ref.File(), Data: data})
	}
	slices.SortFunc(all, func(a, b bundle.File) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func (c *chartSource) once(ctx context.Context, ref bundle.ChartRef) ([]byte, error) {
	c.mu.Lock()
	if c.fetched == nil {
		c.fetched = map[bundle.ChartRef]*fetchedChart{}
	}
	one := c.fetched[ref]
	if one == nil {
		one = &fetchedChart{}
		c.fetched[ref] = one
	}
	c.mu.Unlock()
	one.once.Do(func() { one.data, one.err = c.fetch(ctx, ref) })
	return one.data, one.err
}
