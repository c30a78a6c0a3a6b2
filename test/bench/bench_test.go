package bench_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/muster-dev/muster/internal/lab/driver"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// out is where the figures go as JSON, relative to this directory.
var out = flag.String("out", env("MUSTER_BENCH_JSON", filepath.Join("..", "..", "docs", "benchmarks.json")), "file that gets the figures as JSON")

// sizes of the fleets that are measured, one after the other.
var sizes = []int{1, 3}

// startWithin bounds the start of a fleet on two cold cores.
const startWithin = 4 * time.Minute

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// TestBench measures every row, prints the table and writes it as JSON.
func TestBench(t *testing.T) {
	ctrllog.SetLogger(logr.Discard())
	report := newReport(t)
	for _, clusters := range sizes {
		t.Run(fmt.Sprintf("%d clusters", clusters), func(t *testing.T) { measureFleet(t, report, clusters) })
	}
	report.finish()
	fmt.Print(report.table())
	if err := report.write(*out); err != nil {
		t.Fatal(err)
	}
	report.assert(t)
}

// measureFleet starts a fleet and measures its rows in the order in which a
// fleet grows.
func measureFleet(t *testing.T, report *report, clusters int) {
	b := start(t, report, clusters)
	b.oneLine()
	b.nothing()
	b.drift()
	b.fifty()
	if clusters == 1 {
		b.idle()
		b.restart()
	}
}

// bench is one fleet under measurement.
type bench struct {
	t        *testing.T
	ctx      context.Context
	demo     *driver.Demo
	clusters []string
	report   *report
	seen     *sight
}

func start(t *testing.T, report *report, clusters int) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	demo, err := driver.Start(ctx, t.TempDir(), fmt.Sprintf("--clusters=%d", clusters), "--seed-repo=none", fmt.Sprintf("--ready-timeout=%s", startWithin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := demo.Stop(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, ctx: t.Context(), demo: demo, clusters: demo.Servers()[1:], report: report}
	b.seen = b.look()
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// row names a row of this fleet.
func (b *bench) row(format string, args ...any) string {
	return fmt.Sprintf(format, args...) + fmt.Sprintf(", %d cluster%s", len(b.clusters), map[bool]string{true: "s"}[len(b.clusters) > 1])
}
