package kustomize_test

import (
	"strings"
	"testing"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/kustomize"
)

// A fault says where in the file it is, and all that is unknown is said at once.
func TestFaultsHaveTheLinesTheyAreOn(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown fields": {
			"namePrefix: a-\nresource: [a.yaml]\nimages:\n- name: a\n  tag: b\nRESOURCES: [a.yaml]\npatches:\n- {path: a.yaml, target: {kinds: A}}\n",
			`kustomization.yaml:2: invalid kustomization: unknown field "resource"; line 5: unknown field "images[0].tag"; line 8: unknown field "patches[0].target.kinds"`,
		},
		"a field of a generator, which has those of another type": {
			"configMapGenerator:\n- {name: a, behavior: create, literals: [a=b], options: {disableNameSuffixHash: true}}\n- {nam: b}\n",
			`kustomization.yaml:3: invalid kustomization: unknown field "configMapGenerator[1].nam"`,
		},
		"many unknown fields":         {"a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\nh: 1\ni: 1\nj: 1\nk: 1\nl: 1\n", `; line 10: unknown field "j"; and more`},
		"a merged mapping":            {"images:\n- &a\n  name: x\n  tag: b\n- <<: *a\n  newTag: y\n", `kustomization.yaml:4: invalid kustomization: unknown field "images[0].tag"; line 4: unknown field "images[1].tag"`},
		"a text instead of a list":    {"namePrefix: a\nresources: a.yaml\n", "kustomization.yaml:2: invalid kustomization: resources is not a list"},
		"a list instead of a mapping": {"commonLabels: [a]\n", "kustomization.yaml:1: invalid kustomization: commonLabels is not a mapping"},
		"a number instead of a text":  {"\nnamespace: 12\n", "kustomization.yaml:2: invalid kustomization: namespace is not a string; put it in quotes"},
		"a list":                      {"- a\n", "kustomization.yaml:1: not a kustomization: want a mapping"},
		"a missing resource":          {"namePrefix: a\nresources:\n- a.yaml\n- b.yaml\n", `kustomization.yaml:4: resources: "b.yaml" is not in the bundle`},
		"a missing file of a secret":  {"secretGenerator:\n- name: a\n  files:\n  - key=b.txt\n", `kustomization.yaml:4: secretGenerator: "b.txt" is not in the bundle`},
		"a missing patch":             {"resources: [a.yaml]\npatches:\n- path: a.yaml\n- path: p.yaml\n", `kustomization.yaml:4: patches: "p.yaml" is not in the bundle`},
		"an address":                  {"\ncomponents: [https://example.com/x]\n", `kustomization.yaml:2: components: "https://example.com/x" would be fetched while rendering; commit it to the repository`},
		"a chart":                     {"\nhelmCharts: [{name: a}]\n", "kustomization.yaml:2: helmCharts runs helm; use the bundle's own helm options"},
		"a directory without one":     {"resources:\n- dir\n", "kustomization.yaml:2: dir holds no kustomization.yaml"},
		"a plugin":                    {"\n\ntransformers:\n- |\n  apiVersion: x\n  kind: Exec\n", "kustomization.yaml:4: plugin Exec of x would run a program; only builtin plugins are allowed"},
		"a schema":                    {"\nopenapi:\n  path: s.json\n", `kustomization.yaml:3: openapi.path: "s.json" is not in the bundle`},
		"an alias":                    {"x: &x [b.yaml]\n\nresources: *x\n", `kustomization.yaml:3: resources: "b.yaml" is not in the bundle`},
		"one beneath":                 {"resources: [sub]\n", `sub/kustomization.yaml:2: invalid kustomization: unknown field "resource"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kustomize.Build([]bundle.File{
				{Path: "kustomization.yaml", Data: []byte(c.text)},
				{Path: "a.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")},
				{Path: "dir/a.yaml", Data: nil},
				{Path: "sub/kustomization.yaml", Data: []byte("namePrefix: a\nresource: []\n")},
			}, kustomize.Options{})
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// A chart's output is put into the kustomization; that moves no line.
func TestLinesCountInWhatWasWritten(t *testing.T) {
	_, err := kustomize.Build([]bundle.File{{Path: "kustomization.yaml", Data: []byte("# one\n# two\nresources:\n- none.yaml\n")}},
		kustomize.Options{Manifests: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")})
	if want := `kustomization.yaml:4: resources: "none.yaml" is not in the bundle`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
