package targets_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
	"sigs.k8s.io/yaml"
)

// specOf reads what a user writes, null and all.
func specOf(t testing.TB, text string) v1alpha1.BundleSpec {
	t.Helper()
	var spec v1alpha1.BundleSpec
	if err := yaml.UnmarshalStrict([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestTargetsAsTheyAreWritten starts from YAML, since null, {} and absence differ there.
func TestTargetsAsTheyAreWritten(t *testing.T) {
	all := []string{"one=", "two=", "three="}
	for name, test := range map[string]struct {
		spec string
		want []string
	}{
		"null criteria are ignored":               {"targets: [{clusterSelector: null, clusterGroup: null, clusterName: two, clusterGroupSelector: null}]", []string{"two="}},
		"only null criteria match nothing":        {"targets: [{clusterSelector: null}]", nil},
		"an empty name is no criterion":           {"targets: [{clusterName: '', clusterGroup: ''}]", nil},
		"an empty entry matches nothing":          {"targets: [{}]", nil},
		"clusterSelector: {} matches all":         {"targets: [{clusterSelector: {}}]", all},
		"matchLabels: {} matches all":             {"targets: [{clusterSelector: {matchLabels: {}}}]", all},
		"matchExpressions: [] matches all":        {"targets: [{clusterSelector: {matchExpressions: []}}]", all},
		"clusterGroupSelector: {} is any group":   {"targets: [{clusterGroupSelector: {}}]", all},
		"no targets at all":                       {"targets: []", nil},
		"NotIn holds where the label is absent":   {"targets: [{clusterSelector: {matchExpressions: [{key: gone, operator: NotIn, values: [x]}]}}]", all},
		"an empty entry before one that matches":  {"targets: [{}, {clusterName: one}]", []string{"one="}},
		"doNotDeploy in a later target":           {"targets: [{clusterGroup: all}, {clusterName: one, doNotDeploy: true}]", all},
		"doNotDeploy in the first that matches":   {"targets: [{clusterName: one, doNotDeploy: true}, {clusterGroup: all}]", []string{"two=", "three="}},
		"a customization without criteria":        {"targets: [{clusterGroup: all}]\ntargetCustomizations: [{name: x, helm: {values: {replicas: 9}}, doNotDeploy: true}]", all},
		"a customization with null criteria":      {"targets: [{clusterGroup: all}]\ntargetCustomizations: [{clusterSelector: null, doNotDeploy: true}]", all},
		"33: deny after the first match":          {"targets: [{clusterGroup: all}]\ntargetCustomizations: [{clusterGroup: all, helm: {values: {replicas: 2}}}, {clusterGroup: two, doNotDeploy: true}]", []string{"one=2", "two=2", "three=2"}},
		"33: AllMatches lets no order hide it":    {"targets: [{clusterGroup: all}]\ntargetCustomizationMode: AllMatches\ntargetCustomizations: [{clusterGroup: all, helm: {values: {replicas: 2}}}, {clusterGroup: two, doNotDeploy: true}]", []string{"one=2", "three=2"}},
		"35: later entries win key by key":        {"targets: [{clusterGroup: all}]\ntargetCustomizationMode: AllMatches\nhelm: {values: {replicas: 1}}\ntargetCustomizations: [{clusterName: two, helm: {values: {replicas: 5}}}, {clusterGroup: all, helm: {values: {other: 1}}}]", []string{"one=1", "two=5", "three=1"}},
		"FirstMatch is what is not said":          {"targets: [{clusterGroup: all}]\nhelm: {values: {replicas: 1}}\ntargetCustomizations: [{clusterGroup: all, helm: {values: {replicas: 5}}}, {clusterName: two, helm: {values: {replicas: 7}}}]", []string{"one=5", "two=5", "three=5"}},
		"a restriction that matches nothing":      {"targets: [{clusterGroup: all}]\ntargetRestrictions: [{}]", nil},
		"a restriction, deny means nothing there": {"targets: [{clusterGroup: all}]\ntargetRestrictions: [{clusterName: one, doNotDeploy: true}]", []string{"one="}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, got(t, compile(t, specOf(t, test.spec)))); diff != "" {
				t.Errorf("%s\nclusters (-want +got):\n%s", test.spec, diff)
			}
		})
	}
}

// TestCustomizationsOverrideAndReset shows what one cluster gets, as YAML.
func TestCustomizationsOverrideAndReset(t *testing.T) {
	const base = "targets: [{clusterSelector: {}}]\nnamespace: base\nkeepResources: true\nserviceAccount: deployer\n" +
		"helm: {releaseName: web, takeOwnership: true, values: {a: {b: 1, c: 2}, l: [1, 2]}}\n"
	for name, test := range map[string]struct{ custom, want string }{
		"nothing said":      {"", base},
		"a boolean":         {"keepResources: false, helm: {takeOwnership: false}", "namespace: base\nkeepResources: false\nserviceAccount: deployer\nhelm: {releaseName: web, takeOwnership: false, values: {a: {b: 1, c: 2}, l: [1, 2]}}"},
		"a text by a dash":  {"namespace: '-', helm: {releaseName: '-'}", "keepResources: true\nserviceAccount: deployer\nhelm: {takeOwnership: true, values: {a: {b: 1, c: 2}, l: [1, 2]}}"},
		"a text by nothing": {"serviceAccount: ''", "namespace: base\nkeepResources: true\nhelm: {releaseName: web, takeOwnership: true, values: {a: {b: 1, c: 2}, l: [1, 2]}}"},
		"values":            {"helm: {values: {a: {c: 3, d: 4}, l: [5], n: null}}", "namespace: base\nkeepResources: true\nserviceAccount: deployer\nhelm: {releaseName: web, takeOwnership: true, values: {a: {b: 1, c: 3, d: 4}, l: [5], n: null}}"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := specOf(t, base+"targetCustomizations: [{clusterName: c, "+test.custom+"}]\n")
			m := compile(t, spec).Resolve(targets.Cluster{Workspace: "team", Name: "c"}, nil)
			want := specOf(t, test.want).BundleOptions
			if diff := cmp.Diff(asJSON(t, want), asJSON(t, m.Options)); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	data, err = json.MarshalIndent(plain, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestLabelsInValues is scenario 42. Values files are folded into values when a repository is read.
func TestLabelsInValues(t *testing.T) {
	for name, test := range map[string]struct {
		values, want string
		labels       map[string]string
	}{
		"42: in maps":                  {`{"a":{"b":"global.fleet.clusterLabels.name"}}`, `{"a":{"b":"one"}}`, map[string]string{"name": "one"}},
		"42: in lists":                 {`{"a":["x",["global.fleet.clusterLabels.name"],{"b":["global.fleet.clusterLabels.name"]}]}`, `{"a":["x",["one"],{"b":["one"]}]}`, map[string]string{"name": "one"}},
		"42: a missing label":          {`{"a":"global.fleet.clusterLabels.gone"}`, `{"a":""}`, map[string]string{"name": "one"}},
		"42: a cluster without labels": {`{"a":["global.fleet.clusterLabels.gone"]}`, `{"a":[""]}`, nil},
		"42: a label with a prefix":    {`{"a":"global.fleet.clusterLabels.example.com/site"}`, `{"a":"lab"}`, map[string]string{"example.com/site": "lab"}},
		"whole texts only":             {`{"a":"x global.fleet.clusterLabels.name","b":" global.fleet.clusterLabels.name"}`, `{"a":"x global.fleet.clusterLabels.name","b":" global.fleet.clusterLabels.name"}`, map[string]string{"name": "one"}},
		"never a key":                  {`{"global.fleet.clusterLabels.name":"x"}`, `{"global.fleet.clusterLabels.name":"x"}`, map[string]string{"name": "one"}},
		"written with an escape":       {`{"a":"\u0067lobal.fleet.clusterLabels.name"}`, `{"a":"one"}`, map[string]string{"name": "one"}},
		"what a label holds stays":     {`{"a":"global.fleet.clusterLabels.name"}`, `{"a":"${ .ClusterName }"}`, map[string]string{"name": "${ .ClusterName }"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := everywhere()
			spec.BundleOptions = values(test.values)
			m := compile(t, spec).Resolve(targets.Cluster{Workspace: "team", Name: "c", Labels: test.labels}, nil)
			if diff := cmp.Diff(test.want, string(m.Options.Helm.Values.Raw)); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			if m.Context != nil {
				t.Error("labels alone need no context, and what they hold is no template")
			}
		})
	}
}

// TestWhatNeedsTheClusterGetsIt says when the render may see the cluster (43, 44).
func TestWhatNeedsTheClusterGetsIt(t *testing.T) {
	for name, test := range map[string]struct {
		options string
		want    bool
	}{
		"plain":                               {"helm: {values: {a: b}}", false},
		"no helm":                             {"namespace: x", false},
		"43: a template in a value":           {"helm: {values: {a: ['${ .ClusterName }']}}", true},
		"43: a template in a key":             {"helm: {values: {'${ .ClusterName }': a}}", true},
		"43: templateValues":                  {"helm: {templateValues: {a: plain}}", true},
		"44: disablePreProcess, values":       {"helm: {disablePreProcess: true, values: {a: '${ .ClusterName }'}}", false},
		"44: disablePreProcess, templates":    {"helm: {disablePreProcess: true, templateValues: {a: '${ .ClusterName }'}}", false},
		"44: said by the customization":       {"helm: {values: {a: '${ .ClusterName }'}}\ntargetCustomizations: [{clusterName: c, helm: {disablePreProcess: true}}]", false},
		"44: taken back by the customization": {"helm: {disablePreProcess: true, values: {a: '${ .ClusterName }'}}\ntargetCustomizations: [{clusterName: c, helm: {disablePreProcess: false}}]", true},
		"a template in a customization":       {"targetCustomizations: [{clusterName: c, helm: {values: {a: '${ .ClusterName }'}}}]", true},
		"a template of another cluster":       {"targetCustomizations: [{clusterName: d, helm: {values: {a: '${ .ClusterName }'}}}]", false},
		"a template overridden":               {"helm: {values: {a: '${ .ClusterName }'}}\ntargetCustomizations: [{clusterName: c, helm: {values: {a: plain}}}]", false},
		"two merged, the first has one":       {"targetCustomizationMode: AllMatches\ntargetCustomizations: [{clusterName: c, helm: {values: {a: '${ .ClusterName }'}}}, {clusterSelector: {}, namespace: x}]", true},
		"values files of a hand-made bundle":  {"helm: {valuesFiles: [v.yaml]}", true},
		"labels in them, 44 or not":           {"helm: {disablePreProcess: true, valuesFiles: [v.yaml]}", true},
		"hub values are no templates":         {"hubValuesFrom: [{configMapKeyRef: {name: v}}]", false},
		"values of the cluster are none":      {"helm: {valuesFrom: [{secretKeyRef: {name: '${ .ClusterName }'}}]}", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := compile(t, specOf(t, "targets: [{clusterSelector: {}}]\n"+test.options))
			for _, labels := range []map[string]string{nil, {"env": "prod"}} {
				m := c.Resolve(targets.Cluster{Workspace: "team", Name: "c", Labels: labels}, nil)
				if !m.Matched || (m.Context != nil) != test.want {
					t.Errorf("labels %v: context %+v, want one: %t (%+v)", labels, m.Context, test.want, m)
				}
			}
		})
	}
}

// TestDigestsDoNotDependOnOrder writes the same thing in other orders.
func TestDigestsDoNotDependOnOrder(t *testing.T) {
	digest := func(options, cluster string) string {
		var cl targets.Cluster
		if err := json.Unmarshal([]byte(cluster), &cl); err != nil {
			t.Fatal(err)
		}
		return compile(t, specOf(t, "targets: [{clusterSelector: {}}]\n"+options)).Resolve(cl, nil).OptionsDigest
	}
	const cluster = `{"Workspace":"team","Name":"c","Labels":{"a":"1","b":"2"},"TemplateValues":{"x":{"b":1,"a":[{"d":1,"c":2}]},"w":1}}`
	const turned = `{"Name":"c","Workspace":"team","TemplateValues":{"w":1, "x":{"a":[{"c":2,"d":1}],"b":1}},"Labels":{"b":"2","a":"1"}}`
	one := digest("namespaceLabels: {a: b, c: d}\nhelm: {values: {a: {b: 1, c: 2}, t: '${ .ClusterName }'}}", cluster)
	for range 20 { // Go walks maps in another order each time
		if two := digest("helm: {values: {t: '${ .ClusterName }', a: {c: 2, b: 1}}}\nnamespaceLabels: {c: d, a: b}", turned); one != two {
			t.Fatalf("digest %s became %s", one, two)
		}
	}
	for name, other := range map[string]string{
		"name": `{"Workspace":"team","Name":"d","Labels":{"a":"1","b":"2"}}`, "label": `{"Workspace":"team","Name":"c","Labels":{"a":"1"}}`,
		"values": `{"Workspace":"team","Name":"c","Labels":{"a":"1","b":"2"},"TemplateValues":{"w":2}}`,
	} {
		if digest("namespaceLabels: {a: b, c: d}\nhelm: {values: {a: {b: 1, c: 2}, t: '${ .ClusterName }'}}", other) == one {
			t.Errorf("another %s gives the same digest", name)
		}
	}
}

// The digests are stored with every variant; another digest for the same options renders anew.
func TestDigestsStayAsTheyWere(t *testing.T) {
	cl := targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{"env": "prod"}}
	for options, want := range map[string]string{
		"namespace: x": "b5c985ss9Hf_aAHJ1E9xArgQxsjrUXl99XSMBYUghD8",
		"helm: {values: {a: global.fleet.clusterLabels.env}}": "WfFVDEf8sBZP_CofNYN0TH11XrUqR3urrZN8zxjKxVo",
		"helm: {values: {a: '${ .ClusterName }'}}":            "-BMzajBtsZAqXBgZ-khmQXNCP8dCEZ3K-wphoFDUgpk",
	} {
		if got := compile(t, specOf(t, "targets: [{clusterSelector: {}}]\n"+options)).Resolve(cl, nil).OptionsDigest; got != want {
			t.Errorf("%s: digest %s, want %s", options, got, want)
		}
	}
}

// TestAddingOneEntryMovesOnlyWhomItMatches adds targets, customizations, groups
// and mappings for others and compares the rest of the fleet byte for byte.
func TestAddingOneEntryMovesOnlyWhomItMatches(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		spec, gs := randomSpec(r), randomGroups(r)
		before := compile(t, spec)
		changed := spec
		added := v1alpha1.Customization{Criteria: randomCriteria(r, "new"), BundleOptions: randomOptions(r), DoNotDeploy: r.IntN(3) == 0}
		at := r.IntN(len(spec.TargetCustomizations) + 1)
		changed.TargetCustomizations = slices.Insert(slices.Clone(spec.TargetCustomizations), at, added)
		after := compile(t, changed)
		g := targets.NewGroups(gs)
		more := targets.NewGroups(append(slices.Clone(gs), group("unasked", labels()), targets.Group{Workspace: "other", Name: "g0"}))
		for range 20 {
			cl := randomCluster(r)
			if holds(added.Criteria, cl, gs) {
				continue
			}
			requireSame(t, fmt.Sprintf("seed %d, a customization for others", seed), before.Resolve(cl, g), after.Resolve(cl, g))
			if !asksGroupsByLabel(spec) {
				requireSame(t, fmt.Sprintf("seed %d, a group nobody asks for", seed), before.Resolve(cl, g), before.Resolve(cl, more))
			}
		}
	}
}

func asksGroupsByLabel(spec v1alpha1.BundleSpec) bool {
	return slices.ContainsFunc(spec.Targets, func(t v1alpha1.Target) bool { return t.ClusterGroupSelector != nil }) ||
		slices.ContainsFunc(spec.TargetCustomizations, func(c v1alpha1.Customization) bool { return c.ClusterGroupSelector != nil })
}

func requireSame(t *testing.T, what string, before, after targets.Match) {
	t.Helper()
	if before.Matched != after.Matched || before.OptionsDigest != after.OptionsDigest || cmp.Diff(before.Options, after.Options) != "" || !cmp.Equal(before.Customizations, after.Customizations) {
		t.Fatalf("%s: %+v became %+v", what, before, after)
	}
}
