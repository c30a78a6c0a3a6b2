package renderer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// withoutLabel asks for a label that no cluster has.
func withoutLabel(cluster string) renderer.Inputs {
	in := helmInputs(`{"a": "${ .ClusterLabels.nope }"}`, template(configMap("a"))...)
	in.Context = clusterContext(cluster)
	return in
}

// A child that has only been told of a mistake is as good as before: a fleet
// without a label must not cost a process for each cluster.
func TestAWorkerOutlivesWhatIsOnlyWrong(t *testing.T) {
	cases := map[string]renderer.Inputs{
		"a missing label":              withoutLabel("eu-1"),
		"a missing value":              helmInputs("", template(`{{ required "a is missing" .Values.a }}`)...),
		"a template that is no YAML":   helmInputs("", template("a: b: c")...),
		"a template that is no text":   helmInputs("", template("{{ if }}")...),
		"a random name":                helmInputs("", template(configMap("x-{{ randAlpha 8 | lower }}"))...),
		"broken YAML":                  rawInputs(file("a.yaml", "a: b: c")),
		"two objects of one name":      rawInputs(file("a.yaml", configMap("a")+"---\n"+configMap("a"))),
		"a kustomization that errs":    kustomizeInputs(file("kustomization.yaml", "resources: [none.yaml]")),
		"a kustomization it cannot do": kustomizeInputs(file("kustomization.yaml", "namePrefixx: a")),
	}
	pool := newPool(t, renderer.Options{Workers: 1, MemoBytes: -1})
	mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
	first := children(t)
	for name, in := range cases {
		t.Run(name, func(t *testing.T) {
			mustFail(t, pool, in)
			if diff := cmp.Diff(first, children(t)); diff != "" {
				t.Errorf("children (-before +after):\n%s", diff)
			}
		})
	}
}

// What may have left something behind takes its child with it.
func TestAWorkerLeavesAfterWhatMayHaveChangedIt(t *testing.T) {
	cases := map[string]struct {
		in   renderer.Inputs
		opts renderer.Options
	}{
		"a schema of a kustomization that errs": {
			in: kustomizeInputs(file("kustomization.yaml", "openapi: {path: schema.json}\nresources: [none.yaml]"), file("schema.json", otherSchema)),
		},
		"a schema of a build that errs": {
			in: kustomizeInputs(file("kustomization.yaml", "openapi: {path: schema.json}\nresources: [a.yaml]\npatches: [{patch: 'a: b'}]"), file("schema.json", otherSchema), file("a.yaml", configMap("a"))),
		},
		"a limit": {
			in: rawInputs(file("a.yaml", manyObjects(5))), opts: renderer.Options{MaxObjects: 4},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.opts.Workers = 1
			pool := newPool(t, c.opts)
			mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
			mustFail(t, pool, c.in)
			if left := children(t); len(left) != 0 {
				t.Errorf("children %v are left", left)
			}
		})
	}
}

func TestAPanicCostsTheWorker(t *testing.T) {
	for name, c := range map[string]struct {
		fault *manifest.Fault
		want  bool
	}{
		"a mistake": {manifest.NewFault("a.yaml", 1, manifest.RenderFailed, "wrong"), false},
		"a panic":   {manifest.NewPanic("a.yaml", manifest.RenderFailed, "it gave up"), true},
		"a limit":   {manifest.NewFault("a.yaml", 1, manifest.LimitExceeded, "too much"), true},
	} {
		if got := renderer.Spent(c.fault); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// A kept child must not say of a bundle what it learnt from the one before.
func TestWhatFailedLeavesTheNextBundleAlone(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 1, MemoBytes: -1})
	in := withoutLabel("eu-1")
	in.Context.ClusterLabels["nope"] = "yes"
	want := mustRender(t, newPool(t, renderer.Options{}).Render, in)
	p := mustFail(t, pool, withoutLabel("eu-1"))
	if p.Code != manifest.InvalidValues || !strings.Contains(p.Message, "nope") {
		t.Errorf("got %s %s, want the label's name", p.Code, p.Message)
	}
	if diff := cmp.Diff(want, mustRender(t, pool.Render, in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// mustFail returns what is wrong with the inputs.
func mustFail(t *testing.T, pool *renderer.Pool, in renderer.Inputs) *renderer.Problem {
	t.Helper()
	_, err := pool.Render(context.Background(), in)
	var p *renderer.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem", err)
	}
	return p
}
