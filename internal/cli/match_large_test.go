package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/cli"
)

// What match holds in memory is the repository and the inventory, never the
// pairs: there are millions of those in a large fleet.
func TestMatchHoldsNoRowsInMemory(t *testing.T) {
	for _, format := range []string{"json", ""} {
		t.Run("output "+format, func(t *testing.T) {
			dir, inventory := largeFleet(t, 60, 400)
			out := &watched{every: 1 << 19}
			matchInto(t, out, dir, inventory, format)
			if len(out.live) < 4 {
				t.Fatalf("%d bytes came in %d parts of %d, want at least 4", out.written, len(out.live), out.every)
			}
			// All rows together would take some 60 MiB; a few bundles' worth may be under way.
			first := out.live[0]
			for i, live := range out.live {
				if live > first+16<<20 {
					t.Errorf("after part %d of %d: %d KiB live, want at most 16 MiB over the %d KiB after the first", i+1, len(out.live), live>>10, first>>10)
				}
			}
		})
	}
}

// Rows come in their order whoever decides them first, and JSON stays one document.
func TestMatchOrdersManyRows(t *testing.T) {
	dir, inventory := largeFleet(t, 7, 700)
	var out bytes.Buffer
	matchInto(t, &out, dir, inventory, "json")
	var read struct {
		Matches []struct{ Bundle, Cluster string }
	}
	if err := json.Unmarshal(out.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Matches) != 7*700 {
		t.Fatalf("%d rows, want %d", len(read.Matches), 7*700)
	}
	for i, row := range read.Matches {
		if want := fmt.Sprintf("apps-b%04d c%05d", i/700, i%700); row.Bundle+" "+row.Cluster != want {
			t.Fatalf("row %d is %s %s, want %s", i, row.Bundle, row.Cluster, want)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, format := range []string{"json", "table"} {
		b.Run(format, func(b *testing.B) {
			dir, inventory := largeFleet(b, 100, 500)
			b.ReportAllocs()
			for b.Loop() {
				matchInto(b, &watched{every: 1 << 40}, dir, inventory, strings.TrimPrefix(format, "table"))
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/(100*500), "µs/pair")
		})
	}
}

func matchInto(t testing.TB, out interface{ Write([]byte) (int, error) }, dir, inventory, format string) {
	t.Helper()
	args := []string{"match", dir, "--repo", "apps", "--inventory", inventory}
	if format != "" {
		args = append(args, "-o", format)
	}
	var errs bytes.Buffer
	if code := cli.Run(context.Background(), "v1", args, cli.Streams{In: strings.NewReader(""), Out: out, Err: &errs}); code != cli.ExitDone {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
}

// largeFleet writes bundles that each restrict themselves to one of four stages,
// with a customization for some regions, and clusters of all of them.
func largeFleet(t testing.TB, bundles, clusters int) (dir, inventory string) {
	t.Helper()
	root := t.TempDir()
	dir, inventory = filepath.Join(root, "repo"), filepath.Join(root, "inventory.yaml")
	for i := range bundles {
		bundle := filepath.Join(dir, fmt.Sprintf("b%04d", i))
		if err := os.MkdirAll(bundle, 0o755); err != nil {
			t.Fatal(err)
		}
		options := fmt.Sprintf(`defaultNamespace: apps
overrideTargets:
- name: stage
  clusterSelector: {matchLabels: {stage: s%d}}
targetCustomizations:
- name: eu
  clusterSelector: {matchLabels: {region: eu}}
  namespace: eu
`, i%4)
		object := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
		for name, text := range map[string]string{"fleet.yaml": options, "config.yaml": object} {
			if err := os.WriteFile(filepath.Join(bundle, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	var text strings.Builder
	for i := range clusters {
		fmt.Fprintf(&text, "---\napiVersion: muster.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: c%05d\n  labels: {stage: s%d, region: %s}\n", i, i%4, []string{"eu", "us"}[i%2])
	}
	if err := os.WriteFile(inventory, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, inventory
}

// watched counts what is written and looks at the live heap after every part.
type watched struct {
	every, written int
	live           []uint64
}

func (w *watched) Write(p []byte) (int, error) {
	before := w.written / w.every
	w.written += len(p)
	if w.written/w.every > before {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		w.live = append(w.live, stats.HeapAlloc)
	}
	return len(p), nil
}
