package renderer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

func TestRandomValuesAreListedAndLeaveTheIdentityAlone(t *testing.T) {
	pool := newPool(t, renderer.Options{MemoBytes: -1})
	in := helmInputs("", file("Chart.yaml", chartYAML), file("templates/s.yaml",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  user: admin\n  pass/word: {{ randAlphaNum 20 }}\n  id: {{ uuidv4 }}\n"))
	first, second := mustRender(t, pool.Render, in), mustRender(t, pool.Render, in)

	if diff := cmp.Diff([]string{"/stringData/id", "/stringData/pass~1word"}, first.Objects[0].Volatile); diff != "" {
		t.Errorf("volatile (-want +got):\n%s", diff)
	}
	_, firstID, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, secondID, err := second.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if firstID == secondID {
		t.Fatal("both renders are equal, so this test proves nothing")
	}
	a, errA := renderer.Identity(first)
	b, errB := renderer.Identity(second)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Errorf("identities %s and %s differ", a, b)
	}
}

func TestIdentityIsTheIDWhenNothingIsVolatile(t *testing.T) {
	item := mustRender(t, newPool(t, renderer.Options{}).Render, rawInputs(file("a.yaml", configMap("a"))))
	_, want, err := item.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := renderer.Identity(item); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestARandomNameIsRefused(t *testing.T) {
	_, err := newPool(t, renderer.Options{}).Render(context.Background(), helmInputs("", file("Chart.yaml", chartYAML), file("templates/a.yaml", configMap("x-{{ randAlpha 8 | lower }}"))))
	var p *renderer.Problem
	if !errors.As(err, &p) || p.Code != manifest.InvalidObject {
		t.Errorf("got %v, want %s", err, manifest.InvalidObject)
	}
}
