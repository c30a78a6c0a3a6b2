package helm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
)

// cluster is what the templates of the scenarios below see.
func cluster() map[string]any {
	return map[string]any{
		"ClusterNamespace":   "dev-clusters",
		"ClusterName":        "Eu-1",
		"ClusterLabels":      map[string]any{"env": "dev", "example.com/team": "shop"},
		"ClusterAnnotations": map[string]any{"note": "first floor"},
		"ClusterValues": map[string]any{
			"replicas": 3.0, "image": "nginx", "hosts": []any{"a.example", "b.example"},
			"limits": map[string]any{"cpu": "1", "memory": "2Gi"}, "ports": map[string]any{"http": 80.0},
		},
	}
}

// Scenario 43: what templates in values can do, as YAML in and YAML out.
func TestScenario43ValuesAreTemplates(t *testing.T) {
	cases := map[string]struct{ values, want string }{
		"context":              {"a: ${ .ClusterName }\nb: ${ .ClusterNamespace }\nc: ${ .ClusterLabels.env }\nd: ${ .ClusterAnnotations.note }\ne: ${ .ClusterValues.image }", "a: Eu-1\nb: dev-clusters\nc: dev\nd: first floor\ne: nginx"},
		"within a text":        {"a: http://${ .ClusterName | lower }.${ .ClusterValues.image }", "a: http://eu-1.nginx"},
		"upper":                {"a: ${ upper .ClusterName }\nb: ${ .ClusterName | upper }", "a: EU-1\nb: EU-1"},
		"join":                 {`a: ${ join "," .ClusterValues.hosts }`, "a: a.example,b.example"},
		"toJson gives a map":   {"a: ${ .ClusterValues.limits | toJson }", `a: {cpu: "1", memory: 2Gi}`},
		"toJson gives a list":  {"a: ${ toJson .ClusterValues.hosts }", "a: [a.example, b.example]"},
		"a number":             {"a: ${ .ClusterValues.replicas }", "a: 3"},
		"a number as a text":   {"a: ${ .ClusterValues.replicas | quote }", `a: "3"`},
		"range":                {`a: "${ range $i, $h := .ClusterValues.hosts }${ if $i }+${ end }${ $h }${ end }"`, "a: a.example+b.example"},
		"range over a map":     {`a: "${ range $k, $v := .ClusterValues.limits }${ $k }=${ $v };${ end }"`, "a: cpu=1;memory=2Gi;"},
		"if and hasKey":        {`a: ${ if hasKey .ClusterLabels "env" }yes${ else }no${ end }` + "\n" + `b: ${ if hasKey .ClusterLabels "nope" }yes${ else }no${ end }`, "a: yes\nb: no"},
		"a label with a slash": {`a: ${ index .ClusterLabels "example.com/team" }`, "a: shop"},
		"a key":                {`${ .ClusterName }: 1` + "\n" + `"x-${ .ClusterLabels.env }": {y: "${ .ClusterName }"}`, "Eu-1: 1\nx-dev: {y: Eu-1}"},
		"in lists":             {"a: [{b: '${ .ClusterName }'}, ['${ .ClusterLabels.env }']]", "a: [{b: Eu-1}, [dev]]"},
		"other delimiters":     {"a: '{{ .Release.Name }} $(X) ${'", ""},
		"Helm's own stay":      {"a: '{{ .Release.Name }} $(X) $X'", "a: '{{ .Release.Name }} $(X) $X'"},
		"default and ternary":  {`a: ${ get .ClusterLabels "none" | default "x" }`, "a: x"},
		"other types stay":     {"a: 1.5\nb: true\nc: null\nd: [1, {}]\ne: ${ .ClusterName }", "a: 1.5\nb: true\nc: null\nd: [1, {}]\ne: Eu-1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := helm.ReadValues(nil, helm.ValuesInput{Inline: []byte(c.values), Context: cluster()})
			if c.want == "" {
				if err == nil {
					t.Errorf("got %v, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, c.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Scenario 43: templateValues give maps and lists, and are executed one by one.
func TestScenario43TemplateValuesGiveMapsAndLists(t *testing.T) {
	got, err := helm.ReadValues(nil, helm.ValuesInput{
		Inline:  []byte("resources: {limits: {cpu: 9, pods: 5}}\nhosts: [old]"),
		Context: cluster(),
		Templates: map[string]string{
			"hosts":     "${ range .ClusterValues.hosts }\n- name: ${ . }\n  tls: true${ end }",
			"resources": "limits:\n  ${- range $k, $v := .ClusterValues.limits }\n  ${ $k }: ${ $v | quote }${ end }",
			"plain":     "a text of ${ .ClusterName }",
			"count":     "${ len .ClusterValues.hosts }",
			"ports":     "${ toJson .ClusterValues.ports }",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `
hosts: [{name: a.example, tls: true}, {name: b.example, tls: true}]
resources: {limits: {cpu: "1", memory: 2Gi, pods: 5}}
plain: a text of Eu-1
count: 2
ports: {http: 80}
`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Scenario 42: label references, in maps and lists, in values and valuesFiles.
func TestScenario42LabelReferences(t *testing.T) {
	files := []bundle.File{{Path: "env/values.yaml", Data: []byte("file: {name: global.fleet.clusterLabels.name, list: [global.fleet.clusterLabels.name, {deep: global.fleet.clusterLabels.none}]}\n")}}
	got, err := helm.ReadValues(files, helm.ValuesInput{
		Inline:  []byte(`{"a": "global.fleet.clusterLabels.name", "list": ["global.fleet.clusterLabels.name", 1], "part": "x global.fleet.clusterLabels.name", "slash": "global.fleet.clusterLabels.example.com/team"}`),
		Files:   []string{"env/values.yaml"},
		Context: cluster(),
		Labels:  map[string]string{"name": "one", "example.com/team": "shop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `
a: one
list: [one, 1]
part: x global.fleet.clusterLabels.name
slash: shop
file: {name: one, list: [one, {deep: ""}]}
`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Scenario 44 and what it means for templateValues.
func TestScenario44NothingIsExecutedWhenSwitchedOff(t *testing.T) {
	got, err := helm.ReadValues(nil, helm.ValuesInput{Inline: []byte(`{"a": "${ nonsense }"}`), Templates: map[string]string{"b": "${ .ClusterName }"}, Context: cluster(), DisablePreProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"a": "${ nonsense }"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Values in their order: each source lies over all before it, keys it does not
// name stay, lists are replaced and null removes.
func TestValuesInTheirOrder(t *testing.T) {
	files := []bundle.File{{Path: "one.yaml", Data: []byte("m: {files: 1, first: files, gone: null}\nl: [files]\n")}, {Path: "two.yaml", Data: []byte("m: {second: 2}\n")}}
	in := helm.ValuesInput{
		Inline:    []byte(`{"m": {"values": 1, "first": "values", "last": "values"}, "l": ["values"], "t": "${ .ClusterName }"}`),
		Files:     []string{"one.yaml", "./two.yaml"},
		Templates: map[string]string{"m": "{templates: 1, last: templates}"},
		Hub:       [][]byte{[]byte(`{"m": {"hub": 1, "last": "hub"}, "l": ["hub", "${ nonsense }"]}`), []byte(`{"m": {"hub": 2}}`), nil},
		Late:      [][]byte{[]byte(`{"m": {"late": "global.fleet.clusterLabels.env", "last": "late"}}`), []byte(`{"m": {"values": null, "again": {"x": 1}}, "t": {"now": "${ a map }"}}`)},
		Context:   cluster(), Labels: map[string]string{"env": "dev"},
	}
	got, err := helm.ReadValues(files, in)
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `
m: {values: null, files: 1, first: files, gone: null, second: 2, templates: 1, hub: 2, late: global.fleet.clusterLabels.env, last: late, again: {x: 1}}
l: [hub, "${ nonsense }"]
t: {now: "${ a map }"}
`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	chart := []bundle.File{
		{Path: "Chart.yaml", Data: []byte("apiVersion: v2\nname: c\nversion: 1.0.0\n")},
		{Path: "values.yaml", Data: []byte("m: {chart: 1, values: chart, first: chart, gone: chart}\n")},
		{Path: "templates/a.yaml", Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {m: {{ toJson .Values.m | quote }}}\n")},
	}
	result, err := helm.Render(chart, helm.Release{Name: "rel", Namespace: "ns", Values: got})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := result.Objects[0].Body["data"].(map[string]any)["m"].(string)
	if diff := cmp.Diff(parse(t, "{again: {x: 1}, chart: 1, files: 1, first: files, hub: 2, last: late, late: global.fleet.clusterLabels.env, second: 2, templates: 1}"), parse(t, text)); diff != "" {
		t.Errorf("what the chart sees (-want +got):\n%s", diff)
	}
}

// A wrong document is named by its place in the list, and not shown.
func TestWrongDocumentsAreNamedAndNotShown(t *testing.T) {
	for text, want := range map[string]string{
		`["s3cret"]`:                 "helm.valuesFrom[1]: ",
		`"s3cret"`:                   "helm.valuesFrom[1]: ",
		`a: !!int s3cret`:            "helm.valuesFrom[1]: ",
		"a: *s3cret\nb: &x 1":        "helm.valuesFrom[1]: ",
		"? {s3cret: 1}\n: 2":         "helm.valuesFrom[1]: ",
		strings.Repeat(`{"a":`, 300): "helm.valuesFrom[1]: ",
		nestedAliases:                "helm.valuesFrom[1]: ",
		`{"a":` + strings.Repeat("[", 250) + strings.Repeat("]", 250) + "}": "nested more than 200 deep",
	} {
		_, err := helm.ReadValues(nil, helm.ValuesInput{Late: [][]byte{nil, []byte(text)}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%.40s: got %v, want %q and no values", text, err, want)
		}
	}
}

const nestedAliases = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"

// A missing key is an error that says which, and none gets through as "<no value>".
func TestMissingKeysAreErrors(t *testing.T) {
	for _, text := range []string{"${ .ClusterLabels.none }", "${ .ClusterValues.none.deeper }", "${ .Nothing }", "${ range .ClusterValues.none }${ end }"} {
		_, err := helm.ReadValues(nil, helm.ValuesInput{Inline: []byte("a: '" + text + "'"), Context: cluster()})
		if err == nil || !strings.Contains(err.Error(), "helm.values: ") || !strings.Contains(err.Error(), "no entry for key") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// One call cannot make more than it is worth.
func TestHungryCallsAreRefused(t *testing.T) {
	for _, call := range []string{
		`repeat 999999999 "x"`, `repeat 2000000 "x"`, `until 100000000 | toJson`, `until -100000000 | toJson`, `untilStep 0 2000000000 1 | toJson`,
		`untilStep 9223372036854775807 -9223372036854775808 -1 | toJson`, `seq 100000000`, `seq 1 100000000`, `seq 0 2 1000000000`, `indent 999999999 "x"`, `nindent 99999999 "x"`,
		`randAlphaNum 999999999`, `randBytes 999999999`, `randAscii 99999999`, `"x" | indent 600000 | indent 600000`,
	} {
		_, err := helm.ReadValues(nil, helm.ValuesInput{Templates: map[string]string{"a": "${ " + call + " }"}, Context: cluster()})
		if err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: got %v", call, err)
		}
	}
	for call, want := range map[string]any{
		`repeat 3 "x"`: "xxx", `repeat -1 "x"`: nil, `until 3 | join ","`: "0,1,2", `untilStep 6 0 -2 | join ","`: "6,4,2", `seq 1 3`: "1 2 3", `seq 5 -2 1`: "5 3 1",
		`list "a" "b" | join "\n" | indent 2 | quote`: "  a\n  b", `nindent 2 "a"`: "a", `randNumeric 0 | len`: 0.0, `untilStep 0 10 -1 | len`: 0.0,
	} {
		got, err := helm.ReadValues(nil, helm.ValuesInput{Templates: map[string]string{"a": "${ " + call + " }"}, Context: cluster()})
		if err != nil || got["a"] != want {
			t.Errorf("%s: got %v %v, want %v", call, got["a"], err, want)
		}
	}
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// A fault of a template names the line of the values file, or helm.values.
func TestValueFaultsNameTheirPlace(t *testing.T) {
	files := []bundle.File{
		{Path: "values/one.yaml", Data: []byte("a: 1\nb: plain\n")},
		{Path: "values/two.yaml", Data: []byte("a: 1\n# ${ .ClusterLabels.other }\nb:\n  c: '${ .ClusterLabels.zone }'\n")},
		{Path: "values/bad.yaml", Data: []byte("a: 1\nb: [\n")},
	}
	cases := map[string]struct {
		inline string
		files  []string
		want   string
	}{
		"a values file":     {`{}`, []string{"values/one.yaml", "./values/two.yaml"}, `values/two.yaml:4: helm.values: at <.ClusterLabels.zone>: map has no entry for key "zone"`},
		"in helm.values":    {`{"x": {"y": ["", "${ .ClusterLabels.zone }"]}}`, []string{"values/one.yaml"}, `helm.values: at <.ClusterLabels.zone>: map has no entry`},
		"a long expression": {`{"x": "${ .ClusterValues.limits.storage.requested }"}`, nil, `helm.values: at <.ClusterValues.limits.storage.requested>: map has no entry for key "storage"`},
		"in a key":          {`{"x": {"${ .Nope }": 1}}`, nil, `helm.values: at <.Nope>`},
		"no such function":  {`{"x": "${ getenv \"HOME\" }"}`, nil, `helm.values: function "getenv" not defined`},
		"no YAML":           {`{}`, []string{"values/bad.yaml"}, `values/bad.yaml:2: `},
		"no such file":      {`{}`, []string{"values/none.yaml"}, `values/none.yaml: helm.valuesFiles: no such file`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := helm.ReadValues(files, helm.ValuesInput{Inline: []byte(c.inline), Files: c.files, Context: cluster()})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
