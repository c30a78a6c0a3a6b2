package renderer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

const secretHead = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n"

func TestVolatileValuesAreTracedToTheirTemplates(t *testing.T) {
	cases := map[string]struct {
		files []bundle.File
		want  []string // pointer file:line function
	}{
		"a call of its own each": {
			[]bundle.File{file("templates/s.yaml", secretHead+"  user: admin\n  password: {{ randAlphaNum 20 | quote }}\n  id: {{ uuidv4 }}\n")},
			[]string{"/stringData/id templates/s.yaml:7 uuidv4", "/stringData/password templates/s.yaml:6 randAlphaNum"},
		},
		"a key in quotes": {
			[]bundle.File{file("templates/s.yaml", secretHead+"  \"pass/word\": {{ randAlpha 20 }}\n  other: {{ now | unixEpoch }}{{ uuidv4 }}\n")},
			[]string{"/stringData/other templates/s.yaml:6 now", "/stringData/other templates/s.yaml:6 uuidv4", "/stringData/pass~1word templates/s.yaml:5 randAlpha"},
		},
		"through a variable": {
			[]bundle.File{file("templates/s.yaml", "{{- $a := uuidv4 }}\n{{- $pw := randAlphaNum 20 }}\n{{- $both := printf \"%s\" $pw }}\n"+secretHead+"  password: {{ $both | b64enc }}\n")},
			[]string{"/stringData/password templates/s.yaml:2 randAlphaNum"},
		},
		"through a partial of a partial": {
			[]bundle.File{
				file("templates/s.yaml", secretHead+"  password: {{ include \"outer\" . }}\n  plain: {{ include \"calm\" . }}\n"),
				file("templates/_a.tpl", "{{ define \"outer\" }}\n{{- template \"inner\" . }}{{ end }}{{ define \"calm\" }}x{{ end }}"),
				file("templates/_b.tpl", "{{/* random */}}\n\n{{ define \"inner\" }}{{ randNumeric 20 }}x{{ end }}{{ define \"unused\" }}{{ uuidv4 }}{{ end }}"),
			},
			[]string{"/stringData/password templates/_b.tpl:3 randNumeric"},
		},
		"a checksum of another template": {
			[]bundle.File{
				file("templates/s.yaml", secretHead+"  password: {{ randAlphaNum 20 }}\n"),
				file("templates/d.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {metadata: {annotations: {\n  checksum/secret: {{ include (print $.Template.BasePath \"/s.yaml\") . | sha256sum }}}}}}\n"),
			},
			[]string{"/stringData/password templates/s.yaml:5 randAlphaNum", "/spec/template/metadata/annotations/checksum~1secret templates/s.yaml:5 randAlphaNum"},
		},
		"a certificate": {
			[]bundle.File{file("templates/s.yaml", "{{- $ca := genCA \"ca\" 365 }}\n{{- $cert := genSignedCert \"a\" nil nil 365 $ca }}\n"+secretHead+"  ca: {{ $ca.Cert | b64enc }}\n  crt: {{ $cert.Cert | b64enc }}\n  key: {{ $cert.Key | b64enc }}\n")},
			[]string{"/stringData/ca templates/s.yaml:1 genCA", "/stringData/crt templates/s.yaml:2 genSignedCert", "/stringData/key templates/s.yaml:2 genSignedCert"},
		},
		"a subchart": {
			[]bundle.File{file("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"), file("charts/sub/templates/s.yaml", secretHead+"  password: {{ randAscii 20 | b64enc }}\n")},
			[]string{"/stringData/password charts/sub/templates/s.yaml:5 randAscii"},
		},
		"nothing": {[]bundle.File{file("templates/a.yaml", configMap("a"))}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := helmInputs("", append(c.files, file("Chart.yaml", chartYAML))...)
			item := mustRender(t, newPool(t, renderer.Options{Files: true}).Render, in)
			if diff := cmp.Diff(c.want, traced(item)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if quiet := mustRender(t, newPool(t, renderer.Options{}).Render, in); quiet.Origins != nil {
				t.Errorf("nobody asked for origins, got %v", quiet.Origins)
			}
		})
	}
}

func TestRandomValuesInOptionsAreTracedToThem(t *testing.T) {
	chart := []bundle.File{file("Chart.yaml", chartYAML), file("v.yaml", "a: b\nid: ${ uuidv4 }\n"),
		file("templates/s.yaml", secretHead+"  password: {{ .Values.password }}\n"), file("templates/t.yaml", strings.Replace(secretHead, "name: s", "name: t", 1)+"  id: {{ tpl .Values.id . }}\n")}
	cases := map[string]struct {
		change func(*renderer.Inputs)
		want   []string
	}{
		"values": {
			func(in *renderer.Inputs) {
				in.Options.Helm.Values.Raw = []byte(`{"password": "${ randAlphaNum 20 }", "id": "x"}`)
			},
			[]string{"/stringData/password fleet.yaml:0 randAlphaNum"},
		},
		"templateValues": {
			func(in *renderer.Inputs) {
				in.Options.Helm.TemplateValues = map[string]string{"password": "${ randAscii 9 | b64enc }"}
				in.OptionsFile = "dev.yaml"
			},
			[]string{"/stringData/password dev.yaml:0 randAscii"},
		},
		"a values file": {
			func(in *renderer.Inputs) { in.Options.Helm.ValuesFiles = []string{"v.yaml"} },
			[]string{"/stringData/id v.yaml:2 uuidv4"},
		},
		"tpl": {
			func(in *renderer.Inputs) {
				in.Options.Helm.Values.Raw = []byte(`{"password": "x", "id": "{{ uuidv4 }}"}`)
			},
			[]string{"/stringData/id templates/t.yaml:5 tpl"},
		},
	}
	pool := newPool(t, renderer.Options{Files: true})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in := withContext(helmInputs(`{"password": "x", "id": "x"}`, chart...))
			c.change(&in)
			if diff := cmp.Diff(c.want, traced(mustRender(t, pool.Render, in))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// traced prints origins as pointer file:line function.
func traced(item content.Item) []string {
	var list []string
	for _, o := range item.Origins {
		list = append(list, fmt.Sprintf("%s %s:%d %s", o.Pointer, o.File, o.Line, o.Function))
	}
	return list
}

// After kustomize an object has no template: every call of the chart may have made its value.
func TestOriginsOfAKustomizedChartAreThoseOfTheWholeChart(t *testing.T) {
	in := helmInputs("", file("Chart.yaml", chartYAML), file("kustomization.yaml", "namePrefix: x-\n"),
		file("templates/s.yaml", secretHead+"  password: {{ randAlphaNum 20 }}\n"))
	item := mustRender(t, newPool(t, renderer.Options{Files: true}).Render, in)
	if len(item.Origins) != 1 || item.Origins[0].File != "templates/s.yaml" || item.Origins[0].Function != "randAlphaNum" {
		t.Errorf("got %v, want randAlphaNum in templates/s.yaml", item.Origins)
	}
}
