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

const secretOnTheHub = `{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "immutable": true, "data": {"tls.key": "a2V5"}, "status": {"x": 1},
  "metadata": {"name": "tls", "namespace": "fleet-default", "resourceVersion": "7", "uid": "u", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z",
    "labels": {"team": "web", "muster.dev/bundle": "x", "app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "x"},
    "finalizers": ["example.com/keep"], "ownerReferences": [{"name": "o"}], "managedFields": [{"manager": "m"}]}}`

func TestObjectsFromTheHubComeIntoTheReleaseNamespace(t *testing.T) {
	in := rawInputs(file("a.yaml", configMap("a")))
	namespace := "web"
	in.Options.DefaultNamespace = &namespace
	in.Copied = raw(secretOnTheHub, `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "elsewhere"}, "binaryData": {"b": "AA=="}}`)
	item := mustRender(t, newPool(t, renderer.Options{Files: true}).Render, in)
	var got []string
	for _, o := range item.Objects[1:] {
		got = append(got, string(o.Manifest))
	}
	want := []string{
		`{"apiVersion":"v1","data":{"tls.key":"a2V5"},"immutable":true,"kind":"Secret","metadata":{"labels":{"team":"web"},"name":"tls","namespace":"web"},"type":"kubernetes.io/tls"}`,
		`{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"name":"a","namespace":"web"}}`,
		`{"apiVersion":"v1","binaryData":{"b":"AA=="},"kind":"ConfigMap","metadata":{"name":"settings","namespace":"web"}}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := item.Files["/Secret/web/tls"]; got != "downstreamResources" {
		t.Errorf("the copied Secret stands in %q, want downstreamResources", got)
	}
}

func TestObjectsFromTheHubGoWithEveryKindOfBundle(t *testing.T) {
	pool := newPool(t, renderer.Options{})
	for name, in := range map[string]renderer.Inputs{
		"raw":       rawInputs(file("a.yaml", configMap("a"))),
		"kustomize": kustomizeInputs(file("kustomization.yaml", "namePrefix: x-\nresources: [a.yaml]\n"), file("a.yaml", configMap("a"))),
		"helm":      chartThat("nothing"),
	} {
		in.Copied = raw(secretOnTheHub)
		item := mustRender(t, pool.Render, in)
		if len(item.Objects) != 2 || item.Objects[0].Key != "/Secret/default/tls" {
			t.Errorf("%s: got %v, want the Secret and a ConfigMap", name, item.Keys())
		}
		if text := string(item.Objects[0].Manifest); strings.Contains(text, "helm") {
			t.Errorf("%s: the Secret belongs to no release, got %s", name, text)
		}
	}
}

func TestObjectsFromTheHubAreRefusedWhere(t *testing.T) {
	cases := map[string]struct {
		copied []string
		code   string
		file   string
		says   string
	}{
		"the bundle has one of that name": {[]string{`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}`}, manifest.DuplicateObject, "a.yaml", "already defined in downstreamResources"},
		"one is named twice":              {[]string{secretOnTheHub, secretOnTheHub}, manifest.DuplicateObject, "downstreamResources", "already defined in downstreamResources"},
		"another kind":                    {[]string{`{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}`}, manifest.InvalidObject, "downstreamResources", "only ConfigMaps and Secrets"},
		"another group":                   {[]string{`{"apiVersion": "example.com/v1", "kind": "Secret", "metadata": {"name": "a"}}`}, manifest.InvalidObject, "downstreamResources", "only ConfigMaps and Secrets"},
		"no name":                         {[]string{`{"apiVersion": "v1", "kind": "Secret"}`}, manifest.InvalidObject, "downstreamResources", "no metadata.name"},
		"no object":                       {[]string{`["hunter2"]`}, manifest.InvalidObject, "downstreamResources", "no JSON object"},
	}
	pool := newPool(t, renderer.Options{})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := rawInputs(file("a.yaml", configMap("a")))
			in.Copied = raw(c.copied...)
			_, err := pool.Render(context.Background(), in)
			var p *renderer.Problem
			if !errors.As(err, &p) || p.Code != c.code || p.File != c.file || !strings.Contains(p.Message, c.says) || strings.Contains(p.Message, "hunter2") {
				t.Errorf("got %v, want %s in %s saying %q", err, c.code, c.file, c.says)
			}
		})
	}
}
