package renderer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
)

func benchInputs() map[string]renderer.Inputs {
	return map[string]renderer.Inputs{
		"raw": rawInputs(file("a.yaml", manyObjects(20))),
		"kustomize": kustomizeInputs(file("kustomization.yaml", "resources: [d.yaml]\nnamePrefix: x-\npatches: [{path: p.yaml}]"),
			file("d.yaml", deployment("[{name: a, image: 'a:1'}]")), file("p.yaml", deployment("[{name: a, image: 'a:2'}]"))),
		"helm": helmInputs(`{"a": 1}`, append([]bundle.File{file("Chart.yaml", chartYAML)}, benchTemplates(20)...)...),
	}
}

func benchTemplates(n int) []bundle.File {
	var files []bundle.File
	for i := range n {
		files = append(files, file(fmt.Sprintf("templates/t%d.yaml", i), configMap(fmt.Sprintf("c%d", i))+"  x: {{ .Values.a | quote }}\n"))
	}
	return files
}

// BenchmarkWarm is a render of new inputs on a worker that is there.
func BenchmarkWarm(b *testing.B) {
	for name, in := range benchInputs() {
		b.Run(name, func(b *testing.B) {
			pool := newPool(b, renderer.Options{Workers: 1, MemoBytes: -1, RendersPerWorker: 1 << 30})
			mustRender(b, pool.Render, in)
			for b.Loop() {
				mustRender(b, pool.Render, in)
			}
		})
	}
}

// BenchmarkCold starts a worker for each render.
func BenchmarkCold(b *testing.B) {
	for name, in := range benchInputs() {
		b.Run(name, func(b *testing.B) {
			pool := newPool(b, renderer.Options{Workers: 1, MemoBytes: -1, RendersPerWorker: 1})
			for b.Loop() {
				mustRender(b, pool.Render, in)
			}
		})
	}
}

// BenchmarkMemo is what a cluster costs whose inputs were rendered for another.
func BenchmarkMemo(b *testing.B) {
	pool := newPool(b, renderer.Options{})
	in := benchInputs()["helm"]
	mustRender(b, pool.Render, in)
	for b.Loop() {
		mustRender(b, pool.Render, in)
	}
}

// BenchmarkFacts is a fleet of clusters that all differ in their facts, and a
// chart that asks one question about them: two renders, whatever their number.
func BenchmarkFacts(b *testing.B) {
	for _, clusters := range []int{10, 1000} {
		fleet := manyFacts(clusters)
		b.Run(fmt.Sprint(clusters), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pool := newPool(b, renderer.Options{Workers: 1})
				for _, facts := range fleet {
					in := chartThat(asksOneQuestion)
					in.Facts = facts
					mustRender(b, pool.Render, in)
				}
				b.ReportMetric(float64(pool.Renders()), "renders/op")
				pool.Close()
			}
		})
	}
}

// BenchmarkFailing is a fleet of clusters of which none has the label that a
// bundle's values ask for.
func BenchmarkFailing(b *testing.B) {
	for _, clusters := range []int{10, 100, 2000} {
		b.Run(fmt.Sprint(clusters), func(b *testing.B) {
			pool := newPool(b, renderer.Options{Workers: 1, MemoBytes: -1})
			for b.Loop() {
				for i := range clusters {
					in := withoutLabel(fmt.Sprintf("c%d", i))
					var problem *renderer.Problem
					if _, err := pool.Render(context.Background(), in); !errors.As(err, &problem) {
						b.Fatalf("got %v, want a problem", err)
					}
				}
			}
		})
	}
}

// BenchmarkLarge is a render of 10 MiB of files, most of which nothing reads.
func BenchmarkLarge(b *testing.B) {
	in := rawInputs(file("a.yaml", configMap("a")))
	for i := range 100 {
		in.Files = append(in.Files, bundle.File{Path: fmt.Sprintf("data/%d.bin", i), Data: make([]byte, 100<<10)})
	}
	pool := newPool(b, renderer.Options{Workers: 1, MemoBytes: -1, RendersPerWorker: 1 << 30})
	b.ReportAllocs()
	for b.Loop() {
		mustRender(b, pool.Render, in)
	}
}
