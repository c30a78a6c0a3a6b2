package renderer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/agent/volatile"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// What people, tests and the hub compare must not differ because of chance.
func TestWhatIsSaidOfChanceIsTheSameEachRun(t *testing.T) {
	random := configMap("{{ randAlpha 8 | lower }}")
	for name, files := range map[string][]bundle.File{
		"a name":                      {file("templates/a.yaml", random)},
		"a name among others":         {file("templates/a.yaml", configMap("m")+"---\n"+random), file("templates/b.yaml", configMap("z"))},
		"names in two templates":      {file("templates/a.yaml", random), file("templates/b.yaml", strings.Replace(random, "randAlpha 8", "uuidv4", 1))},
		"a namespace":                 {file("templates/a.yaml", configMap("a\n  namespace: x{{ randAlpha 8 | lower }}"))},
		"a wave":                      {file("templates/a.yaml", configMap("a\n  annotations: {muster.dev/wave: '{{ randInt 1 1000 }}'}"))},
		"labels":                      {file("templates/a.yaml", configMap("a\n  labels: {'x-{{ randAlpha 8 }}': b}"))},
		"a finalizer":                 {file("templates/a.yaml", configMap("a\n  finalizers: ['a.b/{{ randAlpha 8 }}']"))},
		"a template of two subcharts": twoSubcharts(),
	} {
		t.Run(name, func(t *testing.T) {
			said := map[string]bool{}
			for range 5 {
				pool := newPool(t, renderer.Options{MemoBytes: -1})
				for range 5 {
					_, err := pool.Render(t.Context(), helmInputs("", append(files, file("Chart.yaml", chartYAML))...))
					said[fmt.Sprint(err)] = true
				}
				pool.Close()
			}
			// Two waves are the same now and then.
			for message := range said {
				if message != "<nil>" && !strings.Contains(message, "when the chart is rendered again") {
					t.Errorf("it is about something else: %s", message)
				}
			}
			if delete(said, "<nil>"); name != "a wave" && len(said) != 1 || len(said) > 1 {
				t.Errorf("it said %d things: %v", len(said), said)
			}
		})
	}
}

func twoSubcharts() []bundle.File {
	var files []bundle.File
	for _, sub := range []string{"one", "two"} {
		files = append(files, file("charts/"+sub+"/Chart.yaml", "apiVersion: v2\nname: "+sub+"\nversion: 1.0.0\n"),
			file("charts/"+sub+"/templates/s.yaml", strings.Replace(secretHead, "name: s", "name: "+sub, 1)+"  password: {{ uuidv4 }}\n"))
	}
	return append(files, file("templates/a.yaml", configMap(`a{{ include (print "bomb/charts/one/templates" "/s.yaml") . | sha256sum | trunc 9 }}`)))
}

// What the agent cannot keep on a cluster would change there after every
// render: it is found before it is applied, with what makes it.
func TestChanceWhereNothingCanBeKeptIsRefused(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"a finalizer":            {configMap("a\n  finalizers: ['a.b/{{ randAlpha 8 }}']"), "templates/a.yaml:5: /metadata/finalizers/0 of /ConfigMap/default/a differs randAlpha"},
		"names of labels":        {configMap("a\n  labels: {'x-{{ randAlpha 8 }}': b}"), "templates/a.yaml:5: /metadata/labels of /ConfigMap/default/a differs randAlpha"},
		"names of annotations":   {configMap("a\n  annotations: {\n    'x-{{ randAlpha 8 }}': b}"), "templates/a.yaml:6: /metadata/annotations of /ConfigMap/default/a differs randAlpha"},
		"the version of the API": {strings.Replace(configMap("a"), "v1", "v1beta{{ randNumeric 9 }}", 1), "templates/a.yaml:1: /apiVersion of /ConfigMap/default/a differs randNumeric"},
		"names of fields":        {configMap("a") + "'x{{ randAlpha 8 }}': b\n", "templates/a.yaml:7: /ConfigMap/default/a has other fields randAlpha"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := mustFail(t, newPool(t, renderer.Options{}), helmInputs("", file("Chart.yaml", chartYAML), file("templates/a.yaml", c.text)))
			at := strings.LastIndexByte(c.want, ' ')
			if begin, function := c.want[:at], c.want[at:]; p.Code != manifest.InvalidObject || !strings.HasPrefix(p.Error(), begin) || !strings.HasSuffix(p.Error(), " by"+function) {
				t.Errorf("got %s %s, want %s …%s", p.Code, p, begin, function)
			}
		})
	}
}

func TestDifferencesAreFoundWhereTheyCanBeKept(t *testing.T) {
	cases := map[string]struct {
		a, b string
		want []string
	}{
		"a value":                       {`{"data": {"a": 1, "b": 2}}`, `{"data": {"a": 1, "b": 3}}`, []string{"/data/b"}},
		"a mapping with random keys":    {`{"data": {"a": 1}}`, `{"data": {"b": 1}}`, []string{"/data"}},
		"a mapping that grew":           {`{"data": {"a": 1}}`, `{"data": {"a": 1, "b": 1}}`, []string{"/data"}},
		"a field more":                  {`{"kind": "A"}`, `{"kind": "A", "data": {"a": 1}, "spec": 1}`, []string{"/data", "/spec"}},
		"a label more":                  {`{"metadata": {"labels": {"a": 1}}}`, `{"metadata": {"labels": {"a": 2, "b/c": 1}}}`, []string{"/metadata/labels/a", "/metadata/labels/b~1c"}},
		"an annotation less":            {`{"metadata": {"annotations": {"a": 1, "b": 1}}}`, `{"metadata": {"annotations": {"a": 1}}}`, []string{"/metadata/annotations/b"}},
		"the first label":               {`{"metadata": {"name": "a"}}`, `{"metadata": {"name": "a", "labels": {"a": 1, "b": 1}}}`, []string{"/metadata/labels/a", "/metadata/labels/b"}},
		"the last annotation":           {`{"metadata": {"name": "a", "annotations": {"a": 1}}}`, `{"metadata": {"name": "a"}}`, []string{"/metadata/annotations/a"}},
		"labels with random keys":       {`{"metadata": {"labels": {"a": 1}}}`, `{"metadata": {"labels": {"b": 1}}}`, []string{"/metadata/labels"}},
		"labels that are no mapping":    {`{"metadata": {"labels": {"a": 1}}}`, `{"metadata": {"labels": "x"}}`, []string{"/metadata/labels"}},
		"random fields":                 {`{"a": 1}`, `{"b": 1}`, []string{""}},
		"labels deep down are a value":  {`{"spec": {"metadata": {"labels": {"a": 1}}}}`, `{"spec": {"metadata": {"labels": {}}}}`, []string{"/spec/metadata/labels"}},
		"a list of another length":      {`{"l": [1]}`, `{"l": [1, 2]}`, []string{"/l"}},
		"one more and another are none": {`{"metadata": {"name": "a", "labels": {}}}`, `{"metadata": {"name": "a"}}`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var a, b any
			for text, into := range map[string]*any{c.a: &a, c.b: &b} {
				if err := json.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, renderer.Differing(a, b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, renderer.Differing(b, a)); diff != "" {
				t.Errorf("the other way round (-want +got):\n%s", diff)
			}
		})
	}
}

// The agent has the last word on what it keeps.
func TestTheAgentKeepsWhatIsSaidToBeKeepable(t *testing.T) {
	for _, pointer := range []string{
		"", "/", "/data", "/data/a", "/spec/metadata/name", "/apiVersion", "/kind", "/kind/x", "/metadata", "/metadata/name", "/metadata/labels",
		"/metadata/annotations", "/metadata/labels/a", "/metadata/annotations/a~1b", "/metadata/labels/a/b", "/metadata/finalizers", "/metadata/finalizers/0", "/metadata/ownerReferences/a",
	} {
		kept := len(volatile.Pointers(map[string]any{}, []string{pointer})) > 0
		if got := renderer.Keepable(pointer); got != kept {
			t.Errorf("%q: keepable is %v, the agent says %v", pointer, got, kept)
		}
	}
}
