package renderer_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/internal/renderer/rendertest"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/targets"
)

// binary is cmd/muster-render, built once.
var binary string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	if attempt := os.Getenv("MUSTER_CONFINED_ATTEMPT"); attempt != "" {
		os.Exit(attemptConfined(attempt))
	}
	os.Exit(rendertest.Main(m, &binary))
}

// newPool is a pool over the real binary that ends with the test.
func newPool(tb testing.TB, opts renderer.Options) *renderer.Pool {
	tb.Helper()
	if opts.Binary == "" {
		opts.Binary = binary
	}
	pool, err := renderer.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

func rawInputs(files ...bundle.File) renderer.Inputs {
	return renderer.Inputs{Bundle: "app", Kind: bundle.KindRaw, Files: files}
}

func helmInputs(values string, files ...bundle.File) renderer.Inputs {
	in := renderer.Inputs{Bundle: "app", Kind: bundle.KindHelm, Files: files, Options: v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{}}}
	if values != "" {
		in.Options.Helm.Values = &apiextensionsv1.JSON{Raw: json.RawMessage(values)}
	}
	return in
}

func file(path, text string) bundle.File { return bundle.File{Path: path, Data: []byte(text)} }

func configMap(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\ndata:\n  a: b\n"
}

// mustRender renders within a minute or fails the test.
func mustRender(tb testing.TB, render renderer.Renderer, in renderer.Inputs) content.Item {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	item, err := render(ctx, in)
	if err != nil {
		tb.Fatalf("render %s: %v", in.Bundle, err)
	}
	return item
}

func clusterContext(name string) *targets.Context {
	return &targets.Context{ClusterName: name, ClusterNamespace: "fleet", ClusterLabels: map[string]string{"env": "prod"}}
}

func kustomizeIn(dir string) *v1alpha1.KustomizeOptions {
	return &v1alpha1.KustomizeOptions{Dir: &dir}
}
