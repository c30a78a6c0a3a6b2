package helm_test

import (
	"encoding/json"
	"io"
	"log"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/muster-dev/muster/pkg/bundle/helm"
)

// costly functions burn CPU by design, and loops may double what they print;
// the child's limits are for them.
var costly = []string{"gen", "htpasswd", "bcrypt", "scrypt", "derive", "crypt", "buildCustomCert"}

// FuzzTemplating wants no panic and bounded results, whatever is written into
// values and templates, and text without "${" to come out as it went in.
func FuzzTemplating(f *testing.F) {
	for _, seed := range []string{
		`${ .ClusterName }`, `${ range .ClusterLabels }${ . }${ end }`, `${`, `{a: ${ toJson .ClusterValues }}`, `${ list 1 2 | join "," }`, `${ template "x" }`,
		`&a [*a]`, "\xff${ }", `${ repeat 99999999 "x" }`, `${ until 99999999 }`, `${ define "x" }${ template "x" . }${ end }${ template "x" . }`,
		`${ regexReplaceAll "(a*)*" "aaaa" "b" }`, `${ .ClusterValues.replicas | int64 }`,
		`global.fleet.clusterLabels.env`, "a: b\n---\nc: d", `${ index .ClusterValues.hosts 99 }`, `${ dict | toYaml }`, `${ printf "%1000000000d" 1 }`,
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, value, template string) {
		for _, name := range costly {
			if strings.Contains(value, name) || strings.Contains(template, name) {
				return
			}
		}
		inline, err := json.Marshal(map[string]any{"v": value, "list": []any{value}})
		if err != nil {
			t.Fatal(err)
		}
		values, err := helm.ReadValues(nil, helm.ValuesInput{Inline: inline, Templates: map[string]string{"t": template}, Context: cluster(), Labels: map[string]string{"env": "dev"}})
		if (err == nil) == (values == nil) {
			t.Fatalf("%q, %q: values %v and error %v", value, template, values, err)
		}
		if err == nil {
			checkBounded(t, values)
		}
		if plain, err := helm.ReadValues(nil, helm.ValuesInput{Inline: inline, Context: cluster()}); err == nil && !strings.Contains(value, "$") && !strings.HasPrefix(value, "global.fleet.clusterLabels.") {
			var want map[string]any
			if err := json.Unmarshal(inline, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, plain); diff != "" {
				t.Errorf("%q has no template and changes (-want +got):\n%s", value, diff)
			}
		}
	})
}

func checkBounded(t *testing.T, values map[string]any) {
	t.Helper()
	data, err := json.Marshal(values)
	if err != nil {
		t.Fatalf("values that are no JSON: %v", err)
	}
	if len(data) > 16<<20 {
		t.Errorf("%d bytes of values", len(data))
	}
}

// FuzzMerge compares the merging of three documents with a slow second way and
// with Helm's own way of laying values over others.
func FuzzMerge(f *testing.F) {
	for _, seed := range [][3]string{
		{`{"a":{"x":1,"y":[1]}}`, `{"a":{"x":null,"y":[2,3]}}`, `{"a":{"z":{}}}`},
		{`{"a":1}`, `{"a":{"b":{"c":2}}}`, `{"a":{"b":3}}`},
		{`{"a":{"b":1}}`, `{"a":null}`, `{"a":{"c":1}}`},
		{`{"a":{"b":1}}`, `{"a":{}}`, `{"a":[]}`},
		{`{}`, `{"":{"":null}}`, `{"":{"":{"":1}}}`},
		{`null`, `{"a.b":{"c":1}}`, `{"a":{"b.c":2}}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	log.SetOutput(io.Discard) // Helm warns of maps in place of scalars
	f.Fuzz(func(t *testing.T, first, second, third string) {
		documents := []map[string]any{}
		for _, text := range []string{first, second, third} {
			document := map[string]any{}
			if json.Unmarshal([]byte(text), &document) != nil || strings.ContainsRune(text, '\\') {
				return // escapes: YAML and JSON differ in surrogates
			}
			documents = append(documents, document)
		}
		got, err := helm.ReadValues(nil, helm.ValuesInput{Inline: []byte(first), Hub: [][]byte{[]byte(second)}, Late: [][]byte{[]byte(third)}})
		if err != nil {
			return // what YAML refuses of JSON, and nesting; TestValuesInTheirOrder wants the rest
		}
		if diff := cmp.Diff(leavesMerged(documents), leaves(got)); diff != "" {
			t.Errorf("%s\n%s\n%s\n(-by leaves +got):\n%s", first, second, third, diff)
		}
		byHelm := map[string]any{}
		for _, document := range documents {
			byHelm = chartutil.MergeTables(copied(t, document), byHelm)
		}
		if diff := cmp.Diff(byHelm, got); diff != "" {
			t.Errorf("%s\n%s\n%s\n(-helm +got):\n%s", first, second, third, diff)
		}
	})
}

func copied(t *testing.T, document map[string]any) map[string]any {
	t.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// empty stands for a map without keys, which is a leaf too.
type empty struct{}

// leaves are everything in a document by its path, each step with its length before it.
func leaves(document map[string]any) map[string]any {
	found := map[string]any{}
	var visit func(path string, v any)
	visit = func(path string, v any) {
		m, isMap := v.(map[string]any)
		if !isMap || len(m) == 0 {
			if isMap {
				v = empty{}
			}
			found[path] = v
			return
		}
		for key, child := range m {
			visit(path+step(key), child)
		}
	}
	visit("", document)
	return found
}

func step(key string) string {
	data, _ := json.Marshal(key) // a string always encodes
	return "/" + string(data) + "/"
}

// leavesMerged lays documents over each other leaf by leaf: a leaf removes what
// is at its place, above it (unless a map) and below it.
func leavesMerged(documents []map[string]any) map[string]any {
	all := map[string]any{"": empty{}}
	for _, document := range documents {
		over := leaves(document)
		for _, path := range slices.Sorted(maps.Keys(over)) {
			below := slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(p string) bool { return p != path && strings.HasPrefix(p, path) })
			if over[path] == any(empty{}) && below {
				continue // an empty map over a map changes nothing
			}
			maps.DeleteFunc(all, func(p string, _ any) bool { return strings.HasPrefix(p, path) || strings.HasPrefix(path, p) })
			all[path] = over[path]
		}
	}
	return all
}
