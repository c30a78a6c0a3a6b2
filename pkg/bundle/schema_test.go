package bundle_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"sigs.k8s.io/yaml"
)

// schema is what of a CRD's schema says no to a value.
type schema struct {
	Type                 string            `json:"type"`
	Properties           map[string]schema `json:"properties"`
	Items                *schema           `json:"items"`
	AdditionalProperties *schema           `json:"additionalProperties"`
	Required             []string          `json:"required"`
	Enum                 []any             `json:"enum"`
	MaxLength            *int              `json:"maxLength"`
	MinLength            *int              `json:"minLength"`
	MaxItems             *int              `json:"maxItems"`
	MaxProperties        *int              `json:"maxProperties"`
	Minimum              *float64          `json:"minimum"`
	Pattern              string            `json:"pattern"`
	Rules                []struct {
		Rule string `json:"rule"`
	} `json:"x-kubernetes-validations"`
}

// bundleSchema is that of a Bundle's spec, as the API server enforces it.
var bundleSchema = sync.OnceValues(func() (schema, error) {
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	data, err := os.ReadFile("../../charts/muster-crds/templates/muster.dev_bundles.yaml")
	if err != nil {
		return schema{}, err
	}
	if err := yaml.Unmarshal(data, &crd); err != nil {
		return schema{}, err
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"], nil
})

// refusals lists why the API server would refuse a value. CEL rules are not run,
// their subjects are in TestValuesThatTheAPIServerWouldRefuse.
func (s schema) refusals(at string, v any) []string {
	var out []string
	no := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	switch v := v.(type) {
	case map[string]any:
		if s.MaxProperties != nil && len(v) > *s.MaxProperties {
			no("%d properties", len(v))
		}
		for _, k := range s.Required {
			if _, ok := v[k]; !ok {
				no("lacks %s", k)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if below, ok := s.Properties[k]; ok {
				out = append(out, below.refusals(at+"."+k, v[k])...)
			} else if s.AdditionalProperties != nil {
				out = append(out, s.AdditionalProperties.refusals(at+"."+k, v[k])...)
			}
		}
	case []any:
		if s.MaxItems != nil && len(v) > *s.MaxItems {
			no("%d items", len(v))
		}
		for i, each := range v {
			if s.Items != nil {
				out = append(out, s.Items.refusals(fmt.Sprintf("%s[%d]", at, i), each)...)
			}
		}
	case string:
		if s.MaxLength != nil && len([]rune(v)) > *s.MaxLength || s.MinLength != nil && len(v) < *s.MinLength {
			no("length %d", len(v))
		}
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			no("pattern")
		}
		if s.Enum != nil && !slices.Contains(s.Enum, any(v)) {
			no("%q is none of %v", v, s.Enum)
		}
	case float64:
		if s.Minimum != nil && v < *s.Minimum {
			no("%v is below %v", v, *s.Minimum)
		}
	}
	return out
}

// checkStorable fails when the API server would refuse a bundle that Load accepted.
func checkStorable(t *testing.T, b bundle.Bundle) {
	t.Helper()
	s, err := bundleSchema()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(b.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	for _, refusal := range s.refusals("spec", v) {
		t.Errorf("bundle %s was accepted and cannot be stored: %s", b.Name, refusal)
	}
}

// TestTheSchemaIsTheOneThatIsEnforced: the oracle above must see the bounds.
func TestTheSchemaIsTheOneThatIsEnforced(t *testing.T) {
	s, err := bundleSchema()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 3000)
	got := s.refusals("spec", map[string]any{
		"helm": map[string]any{"chart": long, "timeoutSeconds": -1.0}, "drift": map[string]any{"mode": "x"},
		"downstreamResources": []any{map[string]any{"kind": "Pod"}},
	})
	if len(got) != 5 {
		t.Errorf("refusals %q", got)
	}
}

// TestEveryBoundOfTheAPIIsABoundOfLoad: for each bound in the schema there is a
// file that breaks it and nothing else, and Load names the line.
func TestEveryBoundOfTheAPIIsABoundOfLoad(t *testing.T) {
	s, err := bundleSchema()
	if err != nil {
		t.Fatal(err)
	}
	bounds := map[string]string{}
	collectBounds(s, "", bounds)
	if len(bounds) < 60 {
		t.Fatalf("only %d bounds: %v", len(bounds), bounds)
	}
	for _, key := range slices.Sorted(maps.Keys(bounds)) {
		r := load(files("fleet.yaml", bounds[key], "a.yaml", configMap, "overlays/o/o.yaml", configMap), v1alpha1.GitRepoSpec{})
		name, _, _ := strings.Cut(key, " ")
		if strings.HasPrefix(name, "targets") {
			name = "overrideT" + name[1:]
		}
		name = strings.ReplaceAll(name, "[]", "[0]")
		if len(r.Bundles) != 0 || !slices.ContainsFunc(r.Problems, func(p bundle.Problem) bool {
			return p.Severity == bundle.Error && p.File == "fleet.yaml" && p.Line > 0 && strings.Contains(p.Message, name) && p.Code != bundle.CodeUnknownKey && p.Code != bundle.CodeWrongType
		}) {
			t.Errorf("%s: what the API server refuses is accepted (%.200s): %v", key, bounds[key], r.Problems)
		}
	}
}

// notInTheFile are fields of a Bundle that no bundle file holds.
var notInTheFile = map[string]bool{"source": true, "inputs": true, "resources": true, "targetRestrictions": true}

// collectBounds writes, for each bound, a file that breaks it.
func collectBounds(s schema, at string, out map[string]string) {
	if s.MaxItems != nil {
		out[at+" maxItems"] = document(at, "["+strings.TrimSuffix(strings.Repeat(fineEntry(s.Items)+", ", *s.MaxItems+1), ", ")+"]")
	}
	if s.MaxProperties != nil {
		var b strings.Builder
		for i := range *s.MaxProperties + 1 {
			fmt.Fprintf(&b, "k%d: x, ", i)
		}
		out[at+" maxProperties"] = document(at, "{"+b.String()+"}")
	}
	if s.MaxLength != nil && *s.MaxLength < 100_000 {
		out[at+" maxLength"] = document(at, strings.Repeat("x", *s.MaxLength+1))
	}
	if s.MinLength != nil {
		out[at+" minLength"] = document(at, `""`)
	}
	if s.Enum != nil {
		out[at+" enum"] = document(at, "bogus")
	}
	if s.Minimum != nil {
		out[at+" minimum"] = document(at, "-1")
	}
	for name, below := range s.Properties {
		if at == "" && notInTheFile[name] {
			continue
		}
		collectBounds(below, strings.TrimPrefix(at+"."+name, "."), out)
	}
	if s.Items != nil {
		collectBounds(*s.Items, at+"[]", out)
	}
}

// fineEntry is an entry of a list that is fine by itself.
func fineEntry(items *schema) string {
	if items == nil || items.Type != "object" {
		return "o"
	}
	if _, ok := items.Properties["clusterName"]; ok {
		return "{clusterName: c}"
	}
	fine := map[string]string{
		"name": "x", "kind": "Secret", "apiVersion": "v1", "current": "x", "schedule": "x", "duration": "1h", "op": "remove", "path": "/a", "secretKeyRef": "{name: x}",
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(items.Properties)) {
		if value, ok := fine[key]; ok && !(key == "kind" && items.Properties["schedule"].Type != "") {
			fmt.Fprintf(&b, "%s: %s, ", key, value)
		}
	}
	return "{" + b.String() + "}"
}

// document nests a value where it belongs: a.b[].c becomes {a: {b: [{c: value}]}}.
func document(at, value string) string {
	if strings.HasPrefix(at, "targets") {
		at = "overrideT" + at[1:]
	}
	parts := strings.Split(at, ".")
	for _, part := range slices.Backward(parts) {
		name, isList := strings.CutSuffix(part, "[]")
		if isList {
			value = "[" + value + "]"
		}
		value = "{" + name + ": " + value + "}"
	}
	return value + "\n"
}
