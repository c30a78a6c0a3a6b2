package renderer_test

import (
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
