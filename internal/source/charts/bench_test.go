package charts_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/source/charts"
)

// BenchmarkIndex finds a version in an index in which each takes about 1 KiB, as in large public repositories.
func BenchmarkIndex(b *testing.B) {
	for _, n := range []int{10, 1000, 10000, 30000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text := largeIndex(n)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if got, err := charts.OneChart(text, "chart-0"); err != nil || got == 0 {
					b.Fatal(got, err)
				}
			}
		})
	}
}

// largeIndex lists versions, 100 to a chart.
func largeIndex(versions int) []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: v1\nentries:\n")
	for i := range versions {
		if i%100 == 0 {
			fmt.Fprintf(&b, "  chart-%d:\n", i/100)
		}
		fmt.Fprintf(&b, "  - apiVersion: v2\n    appVersion: %d.0.0\n    created: \"2026-01-01T00:00:00Z\"\n    version: 1.%d.0\n    digest: %064d\n    urls:\n    - chart-%d.tgz\n", i, i%100, i, i)
		fmt.Fprintf(&b, "    description: %s\n    keywords:\n    - a\n    - b\n    dependencies:\n    - name: common\n      repository: https://example.com\n      version: 1.x.x\n", strings.Repeat("words ", 100))
	}
	return b.Bytes()
}
