package renderer_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// valuesChart prints the values a, b and c.
func valuesChart() renderer.Inputs {
	return helmInputs(`{"a": "written", "b": "written", "c": "written"}`, file("Chart.yaml", chartYAML), file("values.yaml", "a: default\nb: default\nc: default\n"),
		file("templates/a.yaml", configMap("a")+"  values: {{ .Values.a }} {{ .Values.b }} {{ .Values.c }}\n"))
}

func refs() []v1alpha1.ValuesFrom {
	return []v1alpha1.ValuesFrom{
		{SecretKeyRef: &v1alpha1.KeyRef{Name: "secret", Namespace: "vault", Key: "v"}},
		{ConfigMapKeyRef: &v1alpha1.KeyRef{Name: "settings"}},
	}
}

func raw(texts ...string) []json.RawMessage {
	var list []json.RawMessage
	for _, text := range texts {
		list = append(list, json.RawMessage(text))
	}
	return list
}

func TestValuesFromElsewhereLieOverWrittenOnes(t *testing.T) {
	in := valuesChart()
	in.Options.HubValuesFrom, in.Options.Helm.ValuesFrom = refs(), refs()
	in.HubValues = raw(`{"b": "hub", "c": "hub"}`, `{"b": "hub2"}`)
	in.LateValues = raw(`{"c": "late"}`, `{"c": "late2"}`)
	item := mustRender(t, newPool(t, renderer.Options{}).Render, in)
	if want := `"values":"written hub2 late2"`; !strings.Contains(string(item.Objects[0].Manifest), want) {
		t.Errorf("got %s, want %s", item.Objects[0].Manifest, want)
	}
}

// A chart's defaults in the place of somebody's values are worse than nothing.
func TestMissingValuesAreNeverReplacedByDefaults(t *testing.T) {
	cases := map[string]struct {
		change func(*renderer.Inputs)
		code   string
		says   []string
	}{
		"late values": {
			func(in *renderer.Inputs) { in.Options.Helm.ValuesFrom = refs() },
			manifest.DecidedOnCluster, []string{"ConfigMap settings in the release namespace (key values.yaml)", "Secret secret in vault (key v)", "never"},
		},
		"some late values": {
			func(in *renderer.Inputs) { in.Options.Helm.ValuesFrom = refs(); in.LateValues = raw("{}") },
			manifest.ValuesMissing, []string{"1 of 2"},
		},
		"hub values": {
			func(in *renderer.Inputs) { in.Options.HubValuesFrom = refs() },
			manifest.ValuesMissing, []string{"hubValuesFrom", "0 of 2", "ConfigMap settings in the workspace"},
		},
		"some hub values": {
			func(in *renderer.Inputs) { in.Options.HubValuesFrom = refs(); in.HubValues = raw("{}") },
			manifest.ValuesMissing, []string{"1 of 2"},
		},
	}
	pool := newPool(t, renderer.Options{})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := valuesChart()
			c.change(&in)
			_, err := pool.Render(context.Background(), in)
			var p *renderer.Problem
			if !errors.As(err, &p) || p.Code != c.code || p.File != "fleet.yaml" {
				t.Fatalf("got %v, want %s in fleet.yaml", err, c.code)
			}
			for _, says := range c.says {
				if !strings.Contains(p.Message, says) {
					t.Errorf("%q does not say %q", p.Message, says)
				}
			}
		})
	}
}

const sopsYAML = `data:
    password: ENC[AES256_GCM,data:c2VjcmV0,iv:aXY=,tag:dGFn,type:str]
sops:
    age:
        - recipient: age1example
    lastmodified: "2026-01-01T00:00:00Z"
    mac: ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]
    version: 3.9.0
`

func TestLateSaysWhyOnlyTheClusterCanRender(t *testing.T) {
	chart := []bundle.File{file("Chart.yaml", chartYAML)}
	valuesFrom := v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{ValuesFrom: refs()}}
	cases := map[string]struct {
		files   []bundle.File
		options v1alpha1.BundleOptions
		want    string // part of the reason; empty = the hub can
	}{
		"plain manifests":                   {[]bundle.File{file("a.yaml", configMap("a"))}, v1alpha1.BundleOptions{}, ""},
		"values on the cluster":             {chart, valuesFrom, "Secret secret in vault"},
		"values on the cluster, no chart":   {nil, valuesFrom, ""},
		"values on the hub":                 {chart, v1alpha1.BundleOptions{HubValuesFrom: refs()}, ""},
		"an encrypted file":                 {[]bundle.File{file("a.yaml", configMap("a")), file("s.yaml", sopsYAML)}, v1alpha1.BundleOptions{}, "s.yaml is encrypted"},
		"an encrypted second document":      {[]bundle.File{file("s.yaml", configMap("a")+"---\n"+sopsYAML)}, v1alpha1.BundleOptions{}, "s.yaml is encrypted"},
		"encrypted JSON":                    {[]bundle.File{file("s.json", `{"data": {"mac": "x"}, "sops": {"age": [{"mac": 1}], "mac": "ENC[AES256_GCM,data:x]"}}`)}, v1alpha1.BundleOptions{}, "s.json is encrypted"},
		"encrypted YAML in braces":          {[]bundle.File{file("s.yaml", "a: b\n\"sops\": {mac: 'ENC[AES256_GCM,data:x]'}\n")}, v1alpha1.BundleOptions{}, "s.yaml is encrypted"},
		"a mapping called sops deep within": {[]bundle.File{file("s.yaml", "a:\n  sops:\n    mac: ENC[AES256_GCM,data:x]\n")}, v1alpha1.BundleOptions{}, ""},
		"a JSON mapping deep within":        {[]bundle.File{file("s.json", `{"a": {"sops": {"mac": "ENC[AES256_GCM,data:x]"}}}`)}, v1alpha1.BundleOptions{}, ""},
		"a mac beside sops":                 {[]bundle.File{file("s.yaml", "sops: {a: b}\nmac: ENC[AES256_GCM,data:x]\n")}, v1alpha1.BundleOptions{}, ""},
		"an encrypted file beside a chart":  {append(chart, file("secrets.yaml", sopsYAML)), v1alpha1.BundleOptions{}, ""},
		"an encrypted values file":          {append(chart, file("secrets.yaml", sopsYAML)), v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{ValuesFiles: []string{"./secrets.yaml"}}}, "secrets.yaml is encrypted"},
		"encrypted defaults":                {append(chart, file("values.yaml", sopsYAML)), v1alpha1.BundleOptions{}, "values.yaml is encrypted"},
		"an encrypted template":             {append(chart, file("templates/s.yaml", sopsYAML)), v1alpha1.BundleOptions{}, "templates/s.yaml is encrypted"},
		"one that kustomize may read":       {append(chart, file("secrets.yaml", sopsYAML), file("kustomization.yaml", "")), v1alpha1.BundleOptions{}, "secrets.yaml is encrypted"},
		"an overlay that is not chosen":     {[]bundle.File{file("overlays/dev/s.yaml", sopsYAML)}, v1alpha1.BundleOptions{}, ""},
		"an overlay that is chosen":         {[]bundle.File{file("overlays/dev/s.yaml", sopsYAML)}, v1alpha1.BundleOptions{YAML: &v1alpha1.YAMLOptions{Overlays: []string{"dev"}}}, "overlays/dev/s.yaml is encrypted"},
		"words about it":                    {[]bundle.File{file("README.md", sopsYAML)}, v1alpha1.BundleOptions{}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := renderer.Late(c.files, c.options)
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAnEncryptedFileIsNeverAppliedAsItIs(t *testing.T) {
	in := rawInputs(file("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"+sopsYAML))
	_, err := newPool(t, renderer.Options{}).Render(context.Background(), in)
	var p *renderer.Problem
	if !errors.As(err, &p) || p.Code != manifest.DecidedOnCluster || p.File != "s.yaml" {
		t.Errorf("got %v, want %s in s.yaml", err, manifest.DecidedOnCluster)
	}
}
