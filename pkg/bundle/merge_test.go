package bundle_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func TestMerge(t *testing.T) {
	tests := map[string]struct{ base, over, want string }{
		"nothing over something":       {"namespace: a\nkeepResources: true", "", "namespace: a\nkeepResources: true"},
		"something over nothing":       {"", "namespace: a", "namespace: a"},
		"a boolean goes back to false": {"keepResources: true\nhelm: {takeOwnership: true}", "keepResources: false\nhelm: {takeOwnership: false}", "keepResources: false\nhelm: {takeOwnership: false}"},
		"a text is reset by a dash":    {"namespace: a\nserviceAccount: s", "namespace: '-'", "serviceAccount: s"},
		"a text is reset by nothing":   {"helm: {releaseName: r}", "helm: {releaseName: ''}", "helm: {}"},
		"a reset over nothing":         {"", "kustomize: {dir: '-'}", "kustomize: {}"},
		"values merge deeply":          {"helm: {values: {a: {b: 1, c: 2}, d: 3}}", "helm: {values: {a: {c: 4}, e: [1]}}", "helm: {values: {a: {b: 1, c: 4}, d: 3, e: [1]}}"},
		"lists in values replace":      {"helm: {values: {a: [1, 2, 3]}}", "helm: {values: {a: [4]}}", "helm: {values: {a: [4]}}"},
		"a scalar replaces a map":      {"helm: {values: {a: {b: 1}}}", "helm: {values: {a: x}}", "helm: {values: {a: x}}"},
		"null takes the chart's too":   {"helm: {values: {a: 1, b: 2}}", "helm: {values: {a: null}}", "helm: {values: {a: null, b: 2}}"},
		"numbers keep their digits":    {"helm: {values: {a: 12345678901234567890}}", "helm: {values: {b: 1}}", "helm: {values: {a: 12345678901234567890, b: 1}}"},
		"labels merge":                 {"namespaceLabels: {a: b, c: d}", "namespaceLabels: {c: e}", "namespaceLabels: {a: b, c: e}"},
		"a list is reset by none":      {"helm: {valuesFrom: [{secretKeyRef: {name: a}}], version: '1'}", "helm: {valuesFrom: []}", "helm: {version: '1'}"},
		"a map is reset by none":       {"namespaceLabels: {a: b}\nhelm: {templateValues: {a: b}}", "namespaceLabels: {}\nhelm: {templateValues: {}}", "helm: {}"},
		"a mode is reset by a dash":    {"correctDrift: {enabled: true}\ndrift: {mode: 'off'}", "drift: {mode: '-'}", "correctDrift: {enabled: true}\ndrift: {}"},
		"what is empty says nothing":   {"windows: []\nnamespaceLabels: {}", "namespace: a", "namespace: a"},
		"values are not reset":         {"helm: {values: {a: 1}}", "helm: {values: {}}", "helm: {values: {a: 1}}"},
		"values of the cluster append": {"helm: {valuesFrom: [{configMapKeyRef: {name: a}}, {secretKeyRef: {name: b}}]}", "helm: {valuesFrom: [{configMapKeyRef: {name: c}}, {secretKeyRef: {name: b}}, {secretKeyRef: {name: b, key: k}}]}",
			"helm: {valuesFrom: [{configMapKeyRef: {name: a}}, {secretKeyRef: {name: b}}, {configMapKeyRef: {name: c}}, {secretKeyRef: {name: b, key: k}}]}"},
		"values of the hub append": {"hubValuesFrom: [{secretKeyRef: {name: a}}]", "hubValuesFrom: [{configMapKeyRef: {name: a}}]", "hubValuesFrom: [{secretKeyRef: {name: a}}, {configMapKeyRef: {name: a}}]"},
		"overlays append":          {"yaml: {overlays: [z, a]}", "yaml: {overlays: [b, a, b]}", "yaml: {overlays: [z, a, b]}"},
		"what is compared appends": {"diff: {comparePatches: [{kind: A, jsonPointers: [/x]}]}", "diff: {comparePatches: [{kind: A, jsonPointers: [/y]}, {kind: A, jsonPointers: [/x]}]}",
			"diff: {comparePatches: [{kind: A, jsonPointers: [/x]}, {kind: A, jsonPointers: [/y]}]}"},
		"what is ignored appends": {"drift: {ignore: [{kind: A}]}", "drift: {ignore: [{kind: B, operations: [{op: remove, path: /x}]}, {kind: A}]}",
			"drift: {ignore: [{kind: A}, {kind: B, operations: [{op: remove, path: /x}]}]}"},
		"what is copied appends": {"downstreamResources: [{kind: Secret, name: a}]", "downstreamResources: [{kind: ConfigMap, name: a}, {kind: Secret, name: a}]", "downstreamResources: [{kind: Secret, name: a}, {kind: ConfigMap, name: a}]"},
		"appended to nothing":    {"", "yaml: {overlays: [a, a]}", "yaml: {overlays: [a, a]}"},
		"nothing appended":       {"yaml: {overlays: [a, a]}", "yaml: {}", "yaml: {overlays: [a, a]}"},
		"health and windows replace": {"health: [{apiVersion: v1, kind: A, current: a}]\nwindows: [{schedule: a}]\nignore: {conditions: [{type: a}]}", "health: [{apiVersion: v1, kind: B, current: b}]\nwindows: [{schedule: b}]\nignore: {conditions: [{type: b}]}",
			"health: [{apiVersion: v1, kind: B, current: b}]\nwindows: [{schedule: b}]\nignore: {conditions: [{type: b}]}"},
		"other lists replace":         {"helm: {valuesFiles: [a, b]}", "helm: {valuesFiles: [c]}", "helm: {valuesFiles: [c]}"},
		"blocks merge field by field": {"correctDrift: {enabled: true, force: true}", "correctDrift: {force: false}", "correctDrift: {enabled: true, force: false}"},
		"the drift mode":              {"drift: {mode: correct}", "drift: {mode: 'off'}", "drift: {mode: 'off'}"},
		"a number":                    {"forceSyncGeneration: 3", "forceSyncGeneration: 4", "forceSyncGeneration: 4"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			base, over := options(t, test.base), options(t, test.over)
			before, overBefore := asJSON(t, base), asJSON(t, over)
			got := bundle.Merge(base, over)
			if diff := cmp.Diff(asJSON(t, options(t, test.want)), asJSON(t, got)); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
			if asJSON(t, base) != before || asJSON(t, over) != overBefore {
				t.Error("an argument was changed")
			}
		})
	}
}

// TestListsThatAppendStartAnewAfterAReset merges as AllMatches does, one by one,
// and leaves what it has been given alone.
func TestListsThatAppendStartAnewAfterAReset(t *testing.T) {
	const text = "yaml: {overlays: [%[1]s]}\nhelm: {valuesFrom: [%[2]s]}\nhubValuesFrom: [%[2]s]\ndownstreamResources: [%[3]s]\ndiff: {comparePatches: [%[4]s]}\ndrift: {ignore: [%[4]s]}"
	with := func(name string) v1alpha1.BundleOptions {
		if name == "" {
			return options(t, fmt.Sprintf(text, "", "", "", ""))
		}
		return options(t, fmt.Sprintf(text, name, "{secretKeyRef: {name: "+name+"}}", "{kind: Secret, name: "+name+"}", "{kind: "+name+"}"))
	}
	merged := with("a")
	var between v1alpha1.BundleOptions
	for _, name := range []string{"b", "", "c", "a"} {
		if merged = bundle.Merge(merged, with(name)); name == "c" {
			between = merged
		}
	}
	if diff := cmp.Diff(bundle.Merge(with("c"), with("a")), merged); diff != "" || merged.YAML.Overlays[0] != "c" || len(merged.HubValuesFrom) != 2 {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	other := bundle.Merge(between, with("d"))
	if merged.YAML.Overlays[1] != "a" || other.YAML.Overlays[1] != "d" || len(between.YAML.Overlays) != 1 {
		t.Errorf("two that go on from one list share it: %v, %v", merged.YAML.Overlays, other.YAML.Overlays)
	}
}

func options(t *testing.T, text string) v1alpha1.BundleOptions {
	t.Helper()
	var o v1alpha1.BundleOptions
	if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func asJSON(t *testing.T, o v1alpha1.BundleOptions) string {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEveryFieldOfTheOptionsCanBeOverridden fills every field by reflection, so
// that one added to the API is not forgotten in Merge.
func TestEveryFieldOfTheOptionsCanBeOverridden(t *testing.T) {
	var full v1alpha1.BundleOptions
	fill(reflect.ValueOf(&full).Elem())
	if diff := cmp.Diff(full, bundle.Merge(v1alpha1.BundleOptions{}, full)); diff != "" {
		t.Errorf("over nothing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(full, bundle.Merge(full, v1alpha1.BundleOptions{})); diff != "" {
		t.Errorf("under nothing (-want +got):\n%s", diff)
	}
}

// TestEveryFieldOfTheOptionsCanBeReset takes each field back by itself, after the
// customization has been stored and read again as the API server does.
func TestEveryFieldOfTheOptionsCanBeReset(t *testing.T) {
	var full v1alpha1.BundleOptions
	fill(reflect.ValueOf(&full).Elem())
	count := 0
	eachLeaf(reflect.TypeFor[v1alpha1.BundleOptions](), nil, func(index []int) {
		count++
		var reset, stored v1alpha1.BundleOptions
		leaf := at(reflect.ValueOf(&reset).Elem(), index)
		name := reflect.TypeFor[v1alpha1.BundleOptions]().Field(index[0]).Name + fmt.Sprint(index[1:])
		if !takeBack(leaf) {
			return // values: a key is removed by null, see TestMerge
		}
		if err := json.Unmarshal([]byte(asJSON(t, reset)), &stored); err != nil {
			t.Fatal(err)
		}
		merged := bundle.Merge(full, stored)
		if got := at(reflect.ValueOf(&merged).Elem(), index); !isUnset(got) {
			t.Errorf("%s is %v after a reset", name, got)
		}
		// and nothing else is taken back
		at(reflect.ValueOf(&merged).Elem(), index).Set(at(reflect.ValueOf(&full).Elem(), index))
		if diff := cmp.Diff(full, merged); diff != "" {
			t.Errorf("%s: the others (-want +got):\n%s", name, diff)
		}
	})
	if count < 40 {
		t.Errorf("only %d fields", count)
	}
}

// eachLeaf visits every field that is no block.
func eachLeaf(t reflect.Type, above []int, visit func(index []int)) {
	for i := range t.NumField() {
		index, ft := append(slices.Clone(above), i), t.Field(i).Type
		if ft.Kind() == reflect.Pointer && ft.Elem().Kind() == reflect.Struct && ft.Elem() != reflect.TypeFor[apiextensionsv1.JSON]() {
			eachLeaf(ft.Elem(), index, visit)
			continue
		}
		visit(index)
	}
}

func at(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

func takeBack(v reflect.Value) bool {
	switch {
	case v.Type() == reflect.TypeFor[*apiextensionsv1.JSON]():
		return false
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.String:
		v.Set(reflect.New(v.Type().Elem()))
		v.Elem().SetString("-")
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case v.Kind() == reflect.String:
		v.SetString("-")
	}
	return true
}

// isUnset also takes a boolean that is false and a number that is 0, which is
// what unset ones mean.
func isUnset(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		return v.Elem().IsZero()
	}
	return v.IsZero()
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"a":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("k"), reflect.New(v.Type().Elem()).Elem())
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	}
}
