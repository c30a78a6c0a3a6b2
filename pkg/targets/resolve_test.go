package targets_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fleet is the one of the acceptance scenarios: clusters one, two, three and groups one, two, all.
func fleet() ([]targets.Cluster, *targets.Groups) {
	var clusters []targets.Cluster
	for _, name := range []string{"one", "two", "three"} {
		clusters = append(clusters, targets.Cluster{Workspace: "team", Name: name, Labels: map[string]string{"name": name, "env": "test"}})
	}
	return clusters, targets.NewGroups([]targets.Group{
		group("one", labels("name", "one")), group("two", labels("name", "two")), group("all", labels()),
	})
}

func labels(kv ...string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	for i := 0; i < len(kv); i += 2 {
		if s.MatchLabels == nil {
			s.MatchLabels = map[string]string{}
		}
		s.MatchLabels[kv[i]] = kv[i+1]
	}
	return s
}

func group(name string, s *metav1.LabelSelector) targets.Group {
	return targets.Group{Workspace: "team", Name: name, Selector: &v1alpha1.ClusterGroupSpec{Selector: s}}
}

func inGroup(name string) v1alpha1.Criteria { return v1alpha1.Criteria{ClusterGroup: name} }

func to(criteria ...v1alpha1.Criteria) []v1alpha1.Target {
	var out []v1alpha1.Target
	for _, c := range criteria {
		out = append(out, v1alpha1.Target{Criteria: c})
	}
	return out
}

func values(raw string) v1alpha1.BundleOptions {
	return v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{Values: &apiextensionsv1.JSON{Raw: []byte(raw)}}}
}

func replicas(n int, c v1alpha1.Criteria) v1alpha1.Customization {
	return v1alpha1.Customization{Criteria: c, BundleOptions: values(fmt.Sprintf(`{"replicas":%d}`, n))}
}

func deny(c v1alpha1.Criteria) v1alpha1.Customization {
	return v1alpha1.Customization{Criteria: c, DoNotDeploy: true}
}

func compile(t testing.TB, spec v1alpha1.BundleSpec) *targets.Compiled {
	t.Helper()
	c, err := targets.Compile(targets.Input{Workspace: "team", Name: "b", Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// got lists the clusters that get the bundle, with their replicas.
func got(t testing.TB, c *targets.Compiled) []string {
	t.Helper()
	clusters, groups := fleet()
	var out []string
	for _, cl := range clusters {
		m := c.Resolve(cl, groups)
		if m.Err != nil {
			t.Fatal(m.Err)
		}
		if m.Matched {
			out = append(out, cl.Name+"="+replicasOf(t, m.Options))
		}
	}
	return out
}

func replicasOf(t testing.TB, o v1alpha1.BundleOptions) string {
	t.Helper()
	if o.Helm == nil || o.Helm.Values == nil {
		return ""
	}
	var v struct{ Replicas json.Number }
	if err := json.Unmarshal(o.Helm.Values.Raw, &v); err != nil {
		t.Fatal(err)
	}
	return v.Replicas.String()
}

func TestTargetingAsTheScenariosHaveIt(t *testing.T) {
	all, one, two := inGroup("all"), inGroup("one"), inGroup("two")
	tests := map[string]struct {
		spec v1alpha1.BundleSpec
		want []string
	}{
		"24: target group all, no customization": {
			v1alpha1.BundleSpec{Targets: to(all)}, []string{"one=", "two=", "three="}},
		"25: targets narrowed to one": {
			v1alpha1.BundleSpec{Targets: to(one)}, []string{"one="}},
		"26: customization for all": {
			v1alpha1.BundleSpec{Targets: to(all), TargetCustomizations: []v1alpha1.Customization{replicas(3, all)}}, []string{"one=3", "two=3", "three=3"}},
		"27: per cluster, else the bundle's own": {
			v1alpha1.BundleSpec{BundleOptions: values(`{"replicas":4}`), Targets: to(all),
				TargetCustomizations: []v1alpha1.Customization{replicas(1, one), replicas(2, two)}}, []string{"one=1", "two=2", "three=4"}},
		"28: the first customization wins": {
			v1alpha1.BundleSpec{Targets: to(all), TargetCustomizations: []v1alpha1.Customization{replicas(1, one), replicas(4, all)}}, []string{"one=1", "two=4", "three=4"}},
		"29: customizations do not target": {
			v1alpha1.BundleSpec{Targets: to(one), TargetCustomizations: []v1alpha1.Customization{replicas(2, all)}}, []string{"one=2"}},
		"31: doNotDeploy for all": {
			v1alpha1.BundleSpec{Targets: to(all), TargetCustomizations: []v1alpha1.Customization{deny(all)}}, nil},
		"32: doNotDeploy for another group": {
			v1alpha1.BundleSpec{Targets: to(one), TargetCustomizations: []v1alpha1.Customization{deny(two)}}, []string{"one="}},
		"33: a broad customization before doNotDeploy": {
			v1alpha1.BundleSpec{Targets: to(all), TargetCustomizations: []v1alpha1.Customization{replicas(2, all), deny(two)}}, []string{"one=2", "two=2", "three=2"}},
		"35: AllMatches merges in order": {
			v1alpha1.BundleSpec{Targets: to(all), TargetCustomizationMode: v1alpha1.AllMatches,
				TargetCustomizations: []v1alpha1.Customization{replicas(1, all), replicas(2, two)}}, []string{"one=1", "two=2", "three=1"}},
		"AllMatches, any doNotDeploy denies": {
			v1alpha1.BundleSpec{Targets: to(all), TargetCustomizationMode: v1alpha1.AllMatches,
				TargetCustomizations: []v1alpha1.Customization{replicas(1, all), deny(two), replicas(2, two)}}, []string{"one=1", "three=1"}},
		"no criteria match nothing": {
			v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{Name: "x"})}, nil},
		"an empty selector matches all": {
			v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{ClusterSelector: labels()})}, []string{"one=", "two=", "three="}},
		"criteria are ANDed": {
			v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{ClusterGroup: "all", ClusterName: "two", ClusterSelector: labels("env", "test")})}, []string{"two="}},
		"criteria are ANDed, one fails": {
			v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{ClusterGroup: "one", ClusterName: "two"})}, nil},
		"doNotDeploy on the first target that matches": {
			v1alpha1.BundleSpec{Targets: []v1alpha1.Target{{Criteria: two, DoNotDeploy: true}, {Criteria: all}}}, []string{"one=", "three="}},
		"doNotDeploy on a later target does nothing": {
			v1alpha1.BundleSpec{Targets: []v1alpha1.Target{{Criteria: all}, {Criteria: two, DoNotDeploy: true}}}, []string{"one=", "two=", "three="}},
		"a restriction limits": {
			v1alpha1.BundleSpec{Targets: to(all), TargetRestrictions: to(one, two)}, []string{"one=", "two="}},
		"a group that does not exist": {
			v1alpha1.BundleSpec{Targets: to(inGroup("nope"))}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, got(t, compile(t, test.spec))); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHandMadeBundleWithoutTargetsGoesEverywhere(t *testing.T) {
	clusters, groups := fleet()
	for _, handMade := range []bool{true, false} {
		c, err := targets.Compile(targets.Input{Workspace: "team", HandMade: handMade})
		if err != nil {
			t.Fatal(err)
		}
		for _, cl := range clusters {
			if m := c.Resolve(cl, groups); m.Matched != handMade {
				t.Errorf("hand-made %t: cluster %s matched %t", handMade, cl.Name, m.Matched)
			}
		}
		other := targets.Cluster{Workspace: "other", Name: "one"}
		if m := c.Resolve(other, groups); m.Matched || m.Reason == "" {
			t.Errorf("a cluster of another workspace: %+v", m)
		}
	}
}

func TestALabelGoneAndBackAgain(t *testing.T) {
	c := compile(t, v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{ClusterSelector: labels("env", "test")})})
	clusters, groups := fleet()
	with := c.Resolve(clusters[0], groups)
	bare := clusters[0]
	bare.Labels = nil
	without := c.Resolve(bare, groups)
	again := c.Resolve(clusters[0], groups)
	if !with.Matched || without.Matched || !again.Matched || with.OptionsDigest != again.OptionsDigest {
		t.Errorf("with %t, without %t, again %t", with.Matched, without.Matched, again.Matched)
	}
}

func TestGroupsByTheirLabels(t *testing.T) {
	g := group("prod-eu", labels("env", "test"))
	g.Labels = map[string]string{"tier": "gold"}
	groups := targets.NewGroups([]targets.Group{g, group("nobody", nil)})
	c := compile(t, v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{ClusterGroupSelector: labels("tier", "gold")})})
	clusters, _ := fleet()
	if m := c.Resolve(clusters[0], groups); !m.Matched {
		t.Errorf("not matched: %s", m.Reason)
	}
	if m := c.Resolve(clusters[0], targets.NewGroups(nil)); m.Matched {
		t.Error("matched without any group")
	}
	if !groups.Has("team", "prod-eu") || groups.Has("other", "prod-eu") {
		t.Error("Has does not know the workspace")
	}
}

func TestABrokenGroupIsAnErrorOfItsRowsAlone(t *testing.T) {
	bad := group("bad", &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}})
	groups := targets.NewGroups([]targets.Group{bad, group("all", labels())})
	clusters, _ := fleet()
	asks := compile(t, v1alpha1.BundleSpec{Targets: to(inGroup("bad"))})
	if m := asks.Resolve(clusters[0], groups); m.Err == nil || m.Matched {
		t.Errorf("want an error, got %+v", m)
	}
	other := compile(t, v1alpha1.BundleSpec{Targets: to(inGroup("all"))})
	if m := other.Resolve(clusters[0], groups); !m.Matched {
		t.Errorf("another bundle suffers: %+v", m)
	}
}

func TestCompileNamesTheSelectorItRefuses(t *testing.T) {
	bad := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
	_, err := targets.Compile(targets.Input{Name: "b", Spec: v1alpha1.BundleSpec{TargetCustomizations: []v1alpha1.Customization{{Criteria: v1alpha1.Criteria{ClusterSelector: bad}}}}})
	if err == nil || !strings.Contains(err.Error(), "targetCustomizations[0] of bundle b: clusterSelector") {
		t.Errorf("error: %v", err)
	}
}

func TestBrokenValuesAreAnErrorOfTheirRowsAlone(t *testing.T) {
	for _, mode := range []v1alpha1.CustomizationMode{v1alpha1.FirstMatch, v1alpha1.AllMatches} {
		c := compile(t, v1alpha1.BundleSpec{Targets: to(inGroup("all")), TargetCustomizationMode: mode, TargetCustomizations: []v1alpha1.Customization{
			{Criteria: v1alpha1.Criteria{Name: "list", ClusterName: "two"}, BundleOptions: values(`[1]`)},
			{Criteria: v1alpha1.Criteria{Name: "test", ClusterSelector: labels("env", "test")}, BundleOptions: v1alpha1.BundleOptions{}},
		}})
		clusters, groups := fleet()
		for _, cl := range clusters {
			m := c.Resolve(cl, groups)
			if (m.Err != nil) != (cl.Name == "two") || m.Matched == (cl.Name == "two") {
				t.Errorf("%s, %s: %+v", mode, cl.Name, m)
			}
			if m.Err != nil && !strings.Contains(m.Err.Error(), "values") {
				t.Errorf("%s: error %v does not name the values", mode, m.Err)
			}
		}
	}
	if _, err := targets.Compile(targets.Input{Name: "b", Spec: v1alpha1.BundleSpec{BundleOptions: values(`[1]`)}}); err == nil || !strings.Contains(err.Error(), "values of bundle b: not a map") {
		t.Errorf("values of the bundle itself: %v", err)
	}
}

func TestLabelsReplaceWholeTextsInValues(t *testing.T) {
	c := compile(t, v1alpha1.BundleSpec{Targets: to(inGroup("all")), BundleOptions: values(
		`{"a":"global.fleet.clusterLabels.name","list":[{"b":"global.fleet.clusterLabels.env"},"x global.fleet.clusterLabels.env"],"none":"global.fleet.clusterLabels.gone","n":1e3}`)})
	clusters, groups := fleet()
	one, two := c.Resolve(clusters[0], groups), c.Resolve(clusters[1], groups)
	want := `{"a":"one","list":[{"b":"test"},"x global.fleet.clusterLabels.env"],"n":1e3,"none":""}`
	if diff := cmp.Diff(want, string(one.Options.Helm.Values.Raw)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if one.OptionsDigest == two.OptionsDigest {
		t.Error("two clusters with different values share a digest")
	}
	if one.Context != nil {
		t.Error("a substitution alone needs no template context")
	}
	twin := clusters[0]
	twin.Name, twin.Labels = "twin", map[string]string{"name": "one", "env": "test", "unused": "x"}
	if m := c.Resolve(twin, groups); m.OptionsDigest != one.OptionsDigest {
		t.Error("a label that no value names changes the digest")
	}
}

func TestTemplatesGetAContextAndPlainValuesNone(t *testing.T) {
	clusters, groups := fleet()
	clusters[0].Annotations = map[string]string{"site": "x", "muster.dev/sync": "1"}
	templated := values(`{"host":"${ .ClusterName }.example"}`)
	raw := templated
	rawHelm := *raw.Helm
	yes := true
	rawHelm.DisablePreProcess = &yes
	raw.Helm = &rawHelm
	withContext := compile(t, v1alpha1.BundleSpec{BundleOptions: templated, Targets: to(inGroup("all"))})
	without := compile(t, v1alpha1.BundleSpec{BundleOptions: raw, Targets: to(inGroup("all"))})
	m := withContext.Resolve(clusters[0], groups)
	want := &targets.Context{ClusterNamespace: "team", ClusterName: "one", ClusterLabels: clusters[0].Labels, ClusterAnnotations: map[string]string{"site": "x"}}
	if diff := cmp.Diff(want, m.Context); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if other := withContext.Resolve(clusters[1], groups); other.OptionsDigest == m.OptionsDigest {
		t.Error("two clusters of a templated bundle share a digest")
	}
	if m := without.Resolve(clusters[0], groups); m.Context != nil {
		t.Error("disablePreProcess still gives a context")
	}
}

func TestExplainSaysWhatResolveDecided(t *testing.T) {
	where := map[string]bundle.Position{"targets[0]": {File: "apps/fleet.yaml", Line: 7}, "targetCustomizations[0]": {File: "apps/fleet.yaml", Line: 12}}
	spec := v1alpha1.BundleSpec{
		Targets:              to(v1alpha1.Criteria{Name: "prod", ClusterSelector: labels("env", "prod")}),
		TargetCustomizations: []v1alpha1.Customization{deny(v1alpha1.Criteria{ClusterSelector: labels("broken", "yes")})},
	}
	c, err := targets.Compile(targets.Input{Workspace: "team", Name: "b", Spec: spec, Where: where})
	if err != nil {
		t.Fatal(err)
	}
	canary := c.Explain(targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{"env": "canary"}}, nil)
	wantTrace := []targets.Step{{Step: 1, Rule: "target prod", File: "apps/fleet.yaml", Line: 7, Term: "env=prod",
		Got: "cluster has env=canary", Want: "the cluster had env=prod", Result: "no match"}}
	if diff := cmp.Diff(wantTrace, canary.Trace); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
	if want := "no target matches the cluster: env=prod: cluster has env=canary"; canary.Reason != want {
		t.Errorf("reason %q, want %q", canary.Reason, want)
	}
	if want := "the cluster had env=prod (prod)"; canary.WouldMatchIf != want {
		t.Errorf("wouldMatchIf %q, want %q", canary.WouldMatchIf, want)
	}
	denied := c.Explain(targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{"env": "prod", "broken": "yes"}}, nil)
	if want := "targetCustomizations[0] did not say doNotDeploy"; denied.Matched || denied.WouldMatchIf != want || denied.Where.Line != 12 {
		t.Errorf("denied: %+v", denied)
	}
	if len(denied.Trace) != 2 || denied.Trace[1].Result != "match, doNotDeploy" {
		t.Errorf("trace of the denied: %+v", denied.Trace)
	}
}

// TestResolveAgreesWithTheSlowOracle throws random bundles at random fleets. The
// oracle shares no code with the package but the meaning of a selector.
func TestResolveAgreesWithTheSlowOracle(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		spec, groups := randomSpec(r), randomGroups(r)
		handMade := r.IntN(5) == 0
		c, err := targets.Compile(targets.Input{Workspace: "team", Name: "b", Spec: spec, HandMade: handMade})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		g := targets.NewGroups(groups)
		for range 20 {
			cl := randomCluster(r)
			want := oracle(spec, handMade, cl, groups)
			for name, m := range map[string]targets.Match{"Resolve": c.Resolve(cl, g), "Explain": c.Explain(cl, g)} {
				if diff := cmp.Diff(want, answerOf(m)); diff != "" {
					t.Fatalf("seed %d, %s of %v (-want +got):\n%s", seed, name, cl, diff)
				}
				if outcomes := boolToInt(m.Matched) + boolToInt(m.Reason != "") + boolToInt(m.Err != nil); outcomes != 1 {
					t.Fatalf("seed %d: %s has %d outcomes: %+v", seed, name, outcomes, m)
				}
			}
		}
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// answer is what oracle and package are compared by.
type answer struct {
	Matched   bool
	Namespace string
	Values    map[string]any
	Custom    []string
}

func answerOf(m targets.Match) answer {
	if !m.Matched {
		return answer{}
	}
	a := answer{Matched: true, Custom: m.Customizations}
	if m.Options.Namespace != nil {
		a.Namespace = *m.Options.Namespace
	}
	if m.Options.Helm != nil && m.Options.Helm.Values != nil {
		_ = json.Unmarshal(m.Options.Helm.Values.Raw, &a.Values) // a wrong value shows in the comparison
	}
	return a
}

func oracle(spec v1alpha1.BundleSpec, handMade bool, cl targets.Cluster, groups []targets.Group) answer {
	found := handMade && len(spec.Targets) == 0
	for _, target := range spec.Targets {
		if holds(target.Criteria, cl, groups) {
			if target.DoNotDeploy {
				return answer{}
			}
			found = true
			break
		}
	}
	if !found {
		return answer{}
	}
	a := answer{Matched: true}
	set := func(o v1alpha1.BundleOptions) {
		if o.Namespace != nil {
			a.Namespace = strings.TrimPrefix(*o.Namespace, "-")
		}
		if o.Helm != nil && o.Helm.Values != nil {
			var v map[string]any
			_ = json.Unmarshal(o.Helm.Values.Raw, &v) // written by randomSpec
			if a.Values == nil {
				a.Values = map[string]any{}
			}
			for k, x := range v {
				if x == "global.fleet.clusterLabels.env" {
					x = cl.Labels["env"]
				}
				a.Values[k] = x
			}
		}
	}
	set(spec.BundleOptions)
	for _, c := range spec.TargetCustomizations {
		if !holds(c.Criteria, cl, groups) {
			continue
		}
		if c.DoNotDeploy {
			return answer{}
		}
		a.Custom = append(a.Custom, c.Name)
		set(c.BundleOptions)
		if spec.TargetCustomizationMode != v1alpha1.AllMatches {
			break
		}
	}
	return a
}

func holds(c v1alpha1.Criteria, cl targets.Cluster, groups []targets.Group) bool {
	if c.ClusterName == "" && c.ClusterGroup == "" && c.ClusterSelector == nil && c.ClusterGroupSelector == nil {
		return false
	}
	in := func(pick func(targets.Group) bool) bool {
		return slices.ContainsFunc(groups, func(g targets.Group) bool { return pick(g) && selects(g.Selector.Selector, cl.Labels) })
	}
	return (c.ClusterName == "" || c.ClusterName == cl.Name) &&
		(c.ClusterSelector == nil || selects(c.ClusterSelector, cl.Labels)) &&
		(c.ClusterGroup == "" || in(func(g targets.Group) bool { return g.Name == c.ClusterGroup })) &&
		(c.ClusterGroupSelector == nil || in(func(g targets.Group) bool { return selects(c.ClusterGroupSelector, g.Labels) }))
}

func selects(s *metav1.LabelSelector, have map[string]string) bool {
	if s == nil {
		return false
	}
	for k, v := range s.MatchLabels {
		if x, ok := have[k]; !ok || x != v {
			return false
		}
	}
	for _, e := range s.MatchExpressions {
		v, ok := have[e.Key]
		holds := map[metav1.LabelSelectorOperator]bool{
			"In": ok && slices.Contains(e.Values, v), "NotIn": !ok || !slices.Contains(e.Values, v), "Exists": ok, "DoesNotExist": !ok}[e.Operator]
		if !holds {
			return false
		}
	}
	return true
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomLabels(r *rand.Rand) map[string]string {
	out := map[string]string{}
	for _, k := range []string{"env", "region", "tier"} {
		if r.IntN(3) > 0 {
			out[k] = pick(r, "a", "b", "c")
		}
	}
	return out
}

func randomSelector(r *rand.Rand) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	if r.IntN(2) == 0 {
		s.MatchLabels = map[string]string{pick(r, "env", "region"): pick(r, "a", "b", "c")}
	}
	switch r.IntN(5) {
	case 0:
		s.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: pick(r, "env", "tier"), Operator: pick[metav1.LabelSelectorOperator](r, "In", "NotIn"), Values: []string{"a", "b"}}}
	case 1:
		s.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: pick(r, "env", "tier"), Operator: pick[metav1.LabelSelectorOperator](r, "Exists", "DoesNotExist")}}
	}
	return s
}

func randomCluster(r *rand.Rand) targets.Cluster {
	return targets.Cluster{Workspace: "team", Name: pick(r, "c0", "c1", "c2", "c3"), Labels: randomLabels(r)}
}

func randomGroups(r *rand.Rand) []targets.Group {
	var out []targets.Group
	for i := range r.IntN(4) {
		g := group(fmt.Sprint("g", i), randomSelector(r))
		if r.IntN(6) == 0 {
			g = group(fmt.Sprint("g", i), nil)
		}
		g.Labels = randomLabels(r)
		out = append(out, g)
	}
	return out
}

func randomCriteria(r *rand.Rand, name string) v1alpha1.Criteria {
	c := v1alpha1.Criteria{Name: name}
	if r.IntN(3) > 0 {
		c.ClusterSelector = randomSelector(r)
	}
	if r.IntN(6) == 0 {
		c.ClusterName = pick(r, "c0", "c1")
	}
	if r.IntN(5) == 0 {
		c.ClusterGroup = pick(r, "g0", "g1", "g9")
	}
	if r.IntN(6) == 0 {
		c.ClusterGroupSelector = randomSelector(r)
	}
	return c
}

func randomOptions(r *rand.Rand) v1alpha1.BundleOptions {
	var o v1alpha1.BundleOptions
	if r.IntN(2) == 0 {
		ns := pick(r, "x", "y", "-", "")
		o.Namespace = &ns
	}
	if r.IntN(2) == 0 {
		o.Helm = values(fmt.Sprintf(`{%q:%d,%q:%q}`, pick(r, "p", "q"), r.IntN(9), pick(r, "s", "t"), pick(r, "v", "global.fleet.clusterLabels.env"))).Helm
	}
	return o
}

func randomSpec(r *rand.Rand) v1alpha1.BundleSpec {
	spec := v1alpha1.BundleSpec{BundleOptions: randomOptions(r), TargetCustomizationMode: pick[v1alpha1.CustomizationMode](r, "", "FirstMatch", "AllMatches")}
	for i := range r.IntN(4) {
		spec.Targets = append(spec.Targets, v1alpha1.Target{Criteria: randomCriteria(r, fmt.Sprint("t", i)), DoNotDeploy: r.IntN(5) == 0})
	}
	for i := range r.IntN(12) {
		spec.TargetCustomizations = append(spec.TargetCustomizations, v1alpha1.Customization{
			Criteria: randomCriteria(r, fmt.Sprint("x", i)), BundleOptions: randomOptions(r), DoNotDeploy: r.IntN(8) == 0})
	}
	return spec
}

// TestATargetForAnotherClusterChangesNothingHere: options of one cluster never reach another.
func TestATargetForAnotherClusterChangesNothingHere(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		spec, g := randomSpec(r), targets.NewGroups(randomGroups(r))
		cl := randomCluster(r)
		before := compile(t, spec).Resolve(cl, g)
		foreign := v1alpha1.Criteria{Name: "foreign", ClusterName: "elsewhere"}
		at := r.IntN(len(spec.TargetCustomizations) + 1)
		spec.TargetCustomizations = slices.Insert(slices.Clone(spec.TargetCustomizations), at,
			v1alpha1.Customization{Criteria: foreign, BundleOptions: values(`{"p":"leak","${ .ClusterName }":1}`), DoNotDeploy: r.IntN(2) == 0})
		spec.Targets = slices.Insert(slices.Clone(spec.Targets), r.IntN(len(spec.Targets)+1), v1alpha1.Target{Criteria: foreign, DoNotDeploy: true})
		after := compile(t, spec)
		for name, m := range map[string]targets.Match{"compiled anew": after.Resolve(cl, g), "asked again": after.Resolve(cl, g)} {
			if m.Matched != before.Matched || m.OptionsDigest != before.OptionsDigest || cmp.Diff(answerOf(before), answerOf(m)) != "" {
				t.Fatalf("seed %d, %s: %+v became %+v", seed, name, before, m)
			}
		}
	}
}

// TestOrderNeverLetsADeniedClusterThrough permutes AllMatches customizations.
func TestOrderNeverLetsADeniedClusterThrough(t *testing.T) {
	all := []v1alpha1.Customization{
		replicas(1, inGroup("all")), deny(inGroup("two")), replicas(2, inGroup("two")), replicas(3, inGroup("one")),
	}
	permute(all, func(order []v1alpha1.Customization) {
		c := compile(t, v1alpha1.BundleSpec{Targets: to(inGroup("all")), TargetCustomizationMode: v1alpha1.AllMatches, TargetCustomizations: order})
		for _, line := range got(t, c) {
			if strings.HasPrefix(line, "two") {
				t.Fatalf("order %v deploys to two", order)
			}
		}
	})
}

func permute[T any](list []T, visit func([]T)) {
	if len(list) < 2 {
		visit(list)
		return
	}
	for i := range list {
		rest := append(slices.Clone(list[:i]), list[i+1:]...)
		permute(rest, func(p []T) { visit(append([]T{list[i]}, p...)) })
	}
}
