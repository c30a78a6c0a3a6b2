package renderer_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/content"
)

func TestRawManifestsGoThroughAChild(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	item := mustRender(t, pool.Render, rawInputs(file("b.yaml", configMap("b")), file("a.yml", configMap("a")), file("README.md", "# hi")))

	want := []content.Key{"/ConfigMap/default/a", "/ConfigMap/default/b"}
	if diff := cmp.Diff(want, item.Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestAChildIsConfined(t *testing.T) {
	got, err := newPool(t, renderer.Options{}).Confinement(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(renderer.Sandbox(), got); diff != "" {
		t.Errorf("confinement (-want +got):\n%s", diff)
	}
}
