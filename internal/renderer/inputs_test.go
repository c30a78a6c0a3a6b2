package renderer_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

func TestDigestNamesWhatARenderDependsOn(t *testing.T) {
	base := func() renderer.Inputs {
		in := helmInputs(`{"a": "b"}`, file("Chart.yaml", chartYAML), file("prod.yaml", "x: y"))
		in.Options.Helm.ValuesFiles = []string{"prod.yaml"}
		return in
	}
	cases := map[string]struct {
		change func(*renderer.Inputs)
		same   bool
	}{
		"nothing":                        {func(*renderer.Inputs) {}, true},
		"the bundle's name":              {func(in *renderer.Inputs) { in.Bundle = "other" }, false},
		"the kind":                       {func(in *renderer.Inputs) { in.Kind = bundle.KindKustomize }, false},
		"a byte of a file":               {func(in *renderer.Inputs) { in.Files[1].Data = []byte("x: z") }, false},
		"a border between path and data": {func(in *renderer.Inputs) { in.Files[1] = bundle.File{Path: "prod.yamlx", Data: []byte(": y")} }, false},
		"an option":                      {func(in *renderer.Inputs) { in.Options.KeepResources = new(bool) }, false},
		"a context nothing looks at":     {func(in *renderer.Inputs) { in.Context = clusterContext("eu-1") }, true},
		"a fact":                         {func(in *renderer.Inputs) { in.Facts.KubeVersion = "v1.30.0" }, true},
		"values from the hub":            {func(in *renderer.Inputs) { in.HubValues = []json.RawMessage{[]byte("{}")} }, false},
		"values from the cluster":        {func(in *renderer.Inputs) { in.LateValues = []json.RawMessage{[]byte("{}")} }, false},
		"an object from the hub":         {func(in *renderer.Inputs) { in.Copied = []json.RawMessage{[]byte("{}")} }, false},
		"the one cluster it is for":      {func(in *renderer.Inputs) { in.Cluster = "fleet/eu-1" }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := base()
			c.change(&in)
			if got := renderer.Digest(in) == renderer.Digest(base()); got != c.same {
				t.Errorf("same digest: got %v, want %v", got, c.same)
			}
		})
	}
}

func TestNeedsContextFindsWhatDiffersBetweenClusters(t *testing.T) {
	files := []bundle.File{file("templated.yaml", "a: ${ .ClusterName }"), file("labelled.yaml", "a: global.fleet.clusterLabels.x"), file("plain.yaml", "a: b"),
		file("long.yaml", `a: "\U00000024{ .ClusterName }"`), file("broken.yaml", "a: \"$\\\n  { .ClusterName }\"")}
	values := func(text string) v1alpha1.HelmOptions {
		return v1alpha1.HelmOptions{Values: &apiextensionsv1.JSON{Raw: json.RawMessage(text)}}
	}
	off := true
	cases := map[string]struct {
		helm v1alpha1.HelmOptions
		want bool
	}{
		"no values":                       {v1alpha1.HelmOptions{}, false},
		"plain values":                    {values(`{"a": "b"}`), false},
		"a template in values":            {values(`{"a": "${ .ClusterName }"}`), true},
		"an escaped template in values":   {values(`{"a": "\u0024{ .ClusterName }"}`), true},
		"escaped angle brackets":          {values(`{"a": "\u003cb\u003e \u0026"}`), false},
		"a label in values":               {values(`{"a": "global.fleet.clusterLabels.x"}`), true},
		"templateValues":                  {v1alpha1.HelmOptions{TemplateValues: map[string]string{"a": "b"}}, true},
		"a template in a values file":     {v1alpha1.HelmOptions{ValuesFiles: []string{"templated.yaml"}}, true},
		"a values file named from here":   {v1alpha1.HelmOptions{ValuesFiles: []string{"./templated.yaml"}}, true},
		"a values file named from above":  {v1alpha1.HelmOptions{ValuesFiles: []string{"x/../templated.yaml"}}, true},
		"a template behind a long escape": {v1alpha1.HelmOptions{ValuesFiles: []string{"long.yaml"}}, true},
		"a template on two lines":         {v1alpha1.HelmOptions{ValuesFiles: []string{"broken.yaml"}}, true},
		"a template switched off":         {v1alpha1.HelmOptions{ValuesFiles: []string{"templated.yaml"}, DisablePreProcess: &off}, false},
		"a label, templates switched off": {v1alpha1.HelmOptions{ValuesFiles: []string{"labelled.yaml"}, DisablePreProcess: &off}, true},
		"a plain values file":             {v1alpha1.HelmOptions{ValuesFiles: []string{"plain.yaml"}}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := renderer.NeedsContext(files, v1alpha1.BundleOptions{Helm: &c.helm}); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	pool := newPool(t, renderer.Options{MemoBytes: -1, RendersPerWorker: 20})
	for name, in := range map[string]renderer.Inputs{
		"raw": rawInputs(file("a.yaml", manyObjects(30)), file("b.yaml", configMap("b")), file("c.json", `{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s", "labels": {"z": "1", "a": "2"}}}`)),
		"kustomize": kustomizeInputs(file("kustomization.yaml", "namePrefix: x-\nresources: [a.yaml, b.yaml]\ncommonAnnotations: {z: a, a: z}"),
			file("a.yaml", configMap("a")), file("b.yaml", manyObjects(10))),
		"helm": helmInputs(`{"m": {"z": 1, "a": 2, "k": [3]}}`, file("Chart.yaml", chartYAML),
			file("templates/a.yaml", configMap("a")+"  m: {{ .Values.m | toJson | quote }}\n"), file("templates/b.yaml", manyObjects(10))),
	} {
		t.Run(name, func(t *testing.T) {
			first := ""
			for i := range 50 {
				rand.Shuffle(len(in.Files), func(a, b int) { in.Files[a], in.Files[b] = in.Files[b], in.Files[a] })
				data, _, err := mustRender(t, pool.Render, in).Encode()
				if err != nil {
					t.Fatal(err)
				}
				if first == "" {
					first = string(data)
				}
				if string(data) != first {
					t.Fatalf("render %d differs:\ngot  %s\nwant %s", i, data, first)
				}
			}
		})
	}
}

func TestALimitHitOnceIsBlamedOnWhatTheBundleIsBuiltFrom(t *testing.T) {
	cases := map[string]struct {
		in   renderer.Inputs
		want string
	}{
		"manifests":           {rawInputs(file("a.yaml", configMap("a")), file("b.yaml", manyObjects(9)), file("c.yaml", "")), "b.yaml"},
		"nothing":             {rawInputs(), ""},
		"a kustomization":     {withDir(kustomizeInputs(file("kustomization.yaml", ""), file("x/kustomization.yml", "")), "x"), "x/kustomization.yml"},
		"a chart":             {helmInputs("", file("Chart.yaml", chartYAML)), "Chart.yaml"},
		"a chart further in":  {withChart(helmInputs("", file("sub/Chart.yaml", chartYAML)), "sub"), "sub/Chart.yaml"},
		"an archive":          {withChart(helmInputs("", file("web.tgz", "")), "web.tgz"), "web.tgz"},
		"a chart from abroad": {withChart(helmInputs(""), "oci://example.com/web"), "oci://example.com/web"},
	}
	for name, c := range cases {
		if got := renderer.MainFile(c.in); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
