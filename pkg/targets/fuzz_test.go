package targets_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// FuzzResolve compiles any spec and asks it: Resolve and Explain agree, and
// every cluster lands in exactly one outcome.
func FuzzResolve(f *testing.F) {
	f.Add("targets: [{clusterSelector: {matchLabels: {env: prod}}}]\n", "env", "prod")
	f.Add("targets: [{clusterGroup: g, clusterSelector: {matchExpressions: [{key: env, operator: In, values: [a]}]}}]\ntargetCustomizationMode: AllMatches\n", "env", "a")
	f.Add("targets: [{clusterSelector: {}}]\nhelm: {values: {a: global.fleet.clusterLabels.env, b: '${ .X }'}}\ntargetCustomizations: [{clusterName: c, helm: {values: {a: null}}}]\n", "", "")
	f.Add("targetRestrictions: [{clusterGroupSelector: {matchExpressions: [{key: 'a b', operator: Gt}]}}]\n", "a", "1")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		var spec v1alpha1.BundleSpec
		if yaml.Unmarshal([]byte(text), &spec) != nil {
			return
		}
		c, err := targets.Compile(targets.Input{
			Workspace: "team", Name: "b", Spec: spec, HandMade: len(text)%2 == 0, BundleLabels: map[string]string{key: value},
			Mappings: []targets.Mapping{{Name: "m", BundleSelector: labels(key, value), NamespaceSelector: labels(value, key)}},
			Policies: []targets.Policy{{Name: "p", AllowedTargetNamespaceSelector: labels(value, key)}}[:len(key)%2],
		})
		if err != nil {
			return
		}
		cl := targets.Cluster{Workspace: []string{"team", "edge"}[len(value)%2], Name: "c", Labels: map[string]string{key: value}}
		cl.WorkspaceLabels = map[string]string{value: key, v1alpha1.LabelWorkspace: "true"}
		g := targets.NewGroups([]targets.Group{group("g", labels(key, value))})
		m, e := c.Resolve(cl, g), c.Explain(cl, g)
		if m.Matched != e.Matched || m.OptionsDigest != e.OptionsDigest || (m.Err == nil) != (e.Err == nil) || !cmp.Equal(m.Customizations, e.Customizations) {
			t.Fatalf("Resolve %+v\nExplain %+v", m, e)
		}
		if boolToInt(m.Matched)+boolToInt(m.Reason != "")+boolToInt(m.Err != nil) != 1 {
			t.Fatalf("outcome %+v", m)
		}
	})
}

// FuzzSelector compares what any selector selects with apimachinery's answer, as
// a target's and as a Policy's, whose notation another parser reads.
func FuzzSelector(f *testing.F) {
	f.Add("{}", "env: prod")
	f.Add("matchLabels: {env: prod}", "{env: prod, region: eu}")
	f.Add("matchLabels: {env: ''}", "{}")
	f.Add("matchExpressions: [{key: env, operator: In, values: [a, b]}, {key: env, operator: NotIn, values: [b]}]", "env: a")
	f.Add("matchExpressions: [{key: a.b/c, operator: Exists}, {key: d, operator: DoesNotExist}]", "a.b/c: ''")
	f.Add("matchExpressions: [{key: env, operator: In, values: ['']}]", "env: ''")
	f.Add("matchExpressions: [{key: env, operator: NotIn, values: ['']}]", "env: x")
	f.Add("matchExpressions: [{key: env, operator: In, values: [a, a]}]\nmatchLabels: {env: a}", "env: a")
	f.Add("matchExpressions: [{key: -x, operator: Near, values: []}]", "a: b")
	f.Fuzz(func(t *testing.T, selector, labels string) {
		var s metav1.LabelSelector
		var have map[string]string
		if yaml.Unmarshal([]byte(selector), &s) != nil || yaml.Unmarshal([]byte(labels), &have) != nil {
			return
		}
		oracle, invalid := metav1.LabelSelectorAsSelector(&s)
		spec := v1alpha1.BundleSpec{BundleOptions: inNamespace("a"), Targets: to(v1alpha1.Criteria{ClusterSelector: &s})}
		c, err := targets.Compile(targets.Input{Workspace: "team", Spec: spec, Policies: []targets.Policy{{AllowedTargetNamespaceSelector: &s}}})
		if (err != nil) != (invalid != nil) {
			t.Fatalf("compile says %v, apimachinery %v", err, invalid)
		}
		if err != nil {
			return
		}
		m := c.Explain(targets.Cluster{Workspace: "team", Labels: have}, nil)
		if want := oracle.Matches(kubelabels.Set(have)); m.Matched != want {
			t.Fatalf("matched %t, apimachinery %t: %v and %v", m.Matched, want, s, have)
		}
		if !m.Matched {
			if m.WouldMatchIf == "" {
				t.Fatalf("nothing would change %+v", m)
			}
			return
		}
		written, err := kubelabels.Parse(m.NamespaceSelector)
		if err != nil || !written.Matches(kubelabels.Set(have)) {
			t.Fatalf("%q does not select %v as the original does: %v", m.NamespaceSelector, have, err)
		}
		for key := range have {
			less := maps.Clone(have)
			delete(less, key)
			if got, want := written.Matches(kubelabels.Set(less)), oracle.Matches(kubelabels.Set(less)); got != want {
				t.Fatalf("%q selects %v: %t, the original %t", m.NamespaceSelector, less, got, want)
			}
		}
	})
}

// FuzzOptions merges any values and fills in any label: the result is what a
// walk over the values gives, twice the same, and shows the cluster to templates only.
func FuzzOptions(f *testing.F) {
	f.Add(`{"a":"global.fleet.clusterLabels.env"}`, `{"b":["${ .ClusterName }"]}`, "prod")
	f.Add(`{"a":{"b":[1,{"c":"global.fleet.clusterLabels.env"}]}}`, `{"a":{"b":null}}`, "")
	f.Add(`{"$":{"{":1}}`, `{"a":"$","b":"{"}`, "x")
	f.Add(`{"a":1e400,"b":12345678901234567890,"c":"\u0024{"}`, `{"a":-0}`, "global.fleet.clusterLabels.env")
	f.Add(`{"global.fleet.clusterLabels.":"global.fleet.clusterLabels."}`, `null`, "${ }")
	f.Add(`{"<":"&"}`, `{"a":1,"a":2}`, "\xff")
	f.Fuzz(func(t *testing.T, base, over, label string) {
		if !json.Valid([]byte(base)) || !json.Valid([]byte(over)) || !utf8.ValidString(label) {
			return // the API server and the reader of fleet.yaml give JSON
		}
		spec := v1alpha1.BundleSpec{BundleOptions: values(base), Targets: to(v1alpha1.Criteria{ClusterSelector: labels()}),
			TargetCustomizations: []v1alpha1.Customization{{Criteria: v1alpha1.Criteria{ClusterName: "c"}, BundleOptions: values(over)}}}
		in := targets.Input{Workspace: "team", Spec: spec}
		c, err := targets.Compile(in)
		if err != nil {
			return
		}
		cl := targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{"env": label}}
		m, twice := c.Resolve(cl, nil), compileInput(t, in).Resolve(cl, nil)
		if m.Err != nil { // values that are no map
			return
		}
		if twice.Err != nil || m.OptionsDigest != twice.OptionsDigest || !cmp.Equal(m.Options, twice.Options) {
			t.Fatalf("once %+v\nthen %+v", m, twice)
		}
		plain := cl
		plain.Labels = map[string]string{"env": label, "other": "x"}
		if n := c.Resolve(plain, nil); m.Context == nil && n.OptionsDigest != m.OptionsDigest {
			t.Fatalf("a label that nothing names changes the digest of %s", m.Options.Helm.Values.Raw)
		}
		var merged any
		raw := bundle.Merge(values(base), values(over)).Helm.Values.Raw
		if err := decodeNumbers(string(raw), &merged); err != nil {
			t.Fatalf("compiled what is no JSON: %s: %v", raw, err)
		}
		templated := filled(&merged, cl.Labels)
		var have any
		if err := decodeNumbers(string(m.Options.Helm.Values.Raw), &have); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(merged, have); diff != "" {
			t.Fatalf("values of %s (-want +got):\n%s", raw, diff)
		}
		if (m.Context != nil) != templated {
			t.Fatalf("context %v of %s, want one: %t", m.Context, raw, templated)
		}
	})
}

func decodeNumbers(text string, into *any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}

// filled puts labels into v, and tells whether a text or key of it starts a template.
func filled(v *any, labels map[string]string) (templated bool) {
	switch x := (*v).(type) {
	case string:
		if name, ok := strings.CutPrefix(x, "global.fleet.clusterLabels."); ok {
			*v = labels[name]
		}
		return strings.Contains(x, "${")
	case []any:
		for i := range x {
			templated = filled(&x[i], labels) || templated
		}
	case map[string]any:
		for k, child := range x {
			templated = filled(&child, labels) || templated || strings.Contains(k, "${")
			x[k] = child
		}
	}
	return templated
}
