package targets_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"
)

// everywhere is a bundle for every candidate there is.
func everywhere() v1alpha1.BundleSpec {
	return v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{Name: "all", ClusterSelector: labels()})}
}

func compileInput(t testing.TB, in targets.Input) *targets.Compiled {
	t.Helper()
	c, err := targets.Compile(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// guest is a cluster of another workspace.
func guest(kv ...string) targets.Cluster {
	workspace := map[string]string{v1alpha1.LabelWorkspace: "true"}
	for i := 0; i < len(kv); i += 2 {
		workspace[kv[i]] = kv[i+1]
	}
	return targets.Cluster{Workspace: "edge", Name: "c", WorkspaceLabels: workspace}
}

func unclear() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
}

func TestWhomMappingsLetIn(t *testing.T) {
	good := targets.Mapping{Name: "good", BundleSelector: labels("team", "one"), NamespaceSelector: labels("site", "eu")}
	unlabelled := guest("site", "eu")
	delete(unlabelled.WorkspaceLabels, v1alpha1.LabelWorkspace)
	tests := map[string]struct {
		mappings []targets.Mapping
		cluster  targets.Cluster
		want     string // matched, refused or error
	}{
		"none":                                  {nil, guest("site", "eu"), "refused"},
		"bundle and namespace selected":         {[]targets.Mapping{good}, guest("site", "eu"), "matched"},
		"38: the bundle is not selected":        {[]targets.Mapping{{BundleSelector: labels("team", "two"), NamespaceSelector: labels()}}, guest("site", "eu"), "refused"},
		"the namespace is not selected":         {[]targets.Mapping{good}, guest("site", "us"), "refused"},
		"the namespace is no workspace":         {[]targets.Mapping{good}, unlabelled, "refused"},
		"an absent bundleSelector":              {[]targets.Mapping{{NamespaceSelector: labels()}}, guest(), "refused"},
		"an absent namespaceSelector":           {[]targets.Mapping{{BundleSelector: labels()}}, guest(), "refused"},
		"empty selectors select all":            {[]targets.Mapping{{BundleSelector: labels(), NamespaceSelector: labels()}}, guest(), "matched"},
		"empty ones reach workspaces only":      {[]targets.Mapping{{BundleSelector: labels(), NamespaceSelector: labels()}}, unlabelled, "refused"},
		"two halves are no whole":               {[]targets.Mapping{{BundleSelector: labels()}, {NamespaceSelector: labels()}}, guest(), "refused"},
		"unclear whom it brings":                {[]targets.Mapping{{BundleSelector: unclear(), NamespaceSelector: labels()}}, guest(), "error"},
		"unclear where to":                      {[]targets.Mapping{{BundleSelector: labels(), NamespaceSelector: unclear()}}, guest(), "error"},
		"unclear, and not for this workspace":   {[]targets.Mapping{{BundleSelector: unclear(), NamespaceSelector: labels("site", "us")}}, guest(), "refused"},
		"unclear, and not for this bundle":      {[]targets.Mapping{{BundleSelector: labels("team", "two"), NamespaceSelector: unclear()}}, guest(), "refused"},
		"unclear, and another one lets it in":   {[]targets.Mapping{{Name: "a", BundleSelector: unclear(), NamespaceSelector: labels()}, good}, guest("site", "eu"), "matched"},
		"the own workspace needs none":          {nil, targets.Cluster{Workspace: "team", Name: "c"}, "matched"},
		"an unclear one leaves the own ones be": {[]targets.Mapping{{BundleSelector: unclear(), NamespaceSelector: unclear()}}, targets.Cluster{Workspace: "team", Name: "c"}, "matched"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := compileInput(t, targets.Input{Workspace: "team", Name: "b", Spec: everywhere(), Mappings: test.mappings, BundleLabels: map[string]string{"team": "one"}})
			m := c.Resolve(test.cluster, nil)
			if got := outcomeOf(m); got != test.want {
				t.Errorf("got %s, want %s: %+v", got, test.want, m)
			}
			if reaches := c.Reaches(test.cluster.Workspace, test.cluster.WorkspaceLabels); reaches != (test.want != "refused") {
				t.Errorf("Reaches says %t of a cluster that is %s", reaches, test.want)
			}
		})
	}
}

func outcomeOf(m targets.Match) string {
	switch {
	case m.Err != nil:
		return "error"
	case m.Matched:
		return "matched"
	}
	return "refused"
}

func TestGroupsAreThoseOfTheClustersWorkspace(t *testing.T) {
	spec := v1alpha1.BundleSpec{Targets: to(inGroup("prod")), TargetCustomizations: []v1alpha1.Customization{deny(v1alpha1.Criteria{ClusterGroupSelector: labels("frozen", "yes")})}}
	c := compileInput(t, targets.Input{Workspace: "team", Spec: spec, Mappings: []targets.Mapping{{BundleSelector: labels(), NamespaceSelector: labels()}}})
	theirs := group("prod", labels("env", "prod"))
	theirs.Workspace = "edge"
	frozen := group("frozen", labels())
	frozen.Labels = map[string]string{"frozen": "yes"}
	cl := guest()
	cl.Labels = map[string]string{"env": "prod"}
	if m := c.Resolve(cl, targets.NewGroups([]targets.Group{theirs, frozen})); !m.Matched {
		t.Errorf("a group of the bundle's workspace froze another's cluster: %s", m.Reason)
	}
	frozen.Workspace = "edge"
	if m := c.Resolve(cl, targets.NewGroups([]targets.Group{theirs, frozen})); m.Matched {
		t.Error("the frozen group of the cluster's workspace is not heard")
	}
	if m := c.Resolve(cl, targets.NewGroups([]targets.Group{group("prod", labels())})); m.Matched {
		t.Error("a group of the bundle's workspace matched another's cluster")
	}
}

func inNamespace(ns string) v1alpha1.BundleOptions {
	if ns == "absent" {
		return v1alpha1.BundleOptions{}
	}
	return v1alpha1.BundleOptions{Namespace: &ns}
}

func TestPoliciesLimitTargetNamespaces(t *testing.T) {
	list := func(names ...string) targets.Policy {
		return targets.Policy{Name: "list", AllowedTargetNamespaces: names}
	}
	selects := func(name string, s *metav1.LabelSelector) targets.Policy {
		return targets.Policy{Name: name, AllowedTargetNamespaceSelector: s}
	}
	tests := map[string]struct {
		namespace string
		policies  []targets.Policy
		denied    string // by which policy
		selector  string
	}{
		"no policy":                          {"absent", nil, "", ""},
		"a policy without limits":            {"absent", []targets.Policy{{Name: "free"}}, "", ""},
		"39: in the list":                    {"a", []targets.Policy{list("b", "a")}, "", ""},
		"39: not in the list":                {"c", []targets.Policy{list("b", "a")}, "list", ""},
		"39: empty":                          {"", []targets.Policy{list("a")}, "list", ""},
		"39: absent":                         {"absent", []targets.Policy{list("a")}, "list", ""},
		"39: reset":                          {"-", []targets.Policy{list("a")}, "list", ""},
		"39: no prefix of one":               {"a-b", []targets.Policy{list("a")}, "list", ""},
		"39: case counts":                    {"A", []targets.Policy{list("a")}, "list", ""},
		"39: two policies, in both":          {"b", []targets.Policy{list("a", "b"), {Name: "more", AllowedTargetNamespaces: []string{"b", "c"}}}, "", ""},
		"39: two policies, in one":           {"a", []targets.Policy{list("a", "b"), {Name: "more", AllowedTargetNamespaces: []string{"b", "c"}}}, "more", ""},
		"40: a selector goes to the cluster": {"a", []targets.Policy{selects("s", labels("team", "one"))}, "", "team=one"},
		"40: a selector needs a namespace":   {"absent", []targets.Policy{selects("s", labels("team", "one"))}, "s", ""},
		"40: the empty one too":              {"absent", []targets.Policy{selects("s", labels())}, "s", ""},
		"40: the empty one asks nothing":     {"a", []targets.Policy{selects("s", labels())}, "", ""},
		"40: several are ANDed":              {"a", []targets.Policy{selects("s", labels("team", "one")), selects("t", labels("tier", "gold", "team", "one"))}, "", "team=one,tier=gold"},
		"list and selector":                  {"a", []targets.Policy{{Name: "both", AllowedTargetNamespaces: []string{"a"}, AllowedTargetNamespaceSelector: labels("x", "y")}}, "", "x=y"},
		"one that cannot be understood":      {"a", []targets.Policy{selects("bad", unclear())}, "?", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := everywhere()
			spec.BundleOptions = inNamespace(test.namespace)
			m := compileInput(t, targets.Input{Workspace: "team", Name: "b", Spec: spec, Policies: test.policies}).Resolve(targets.Cluster{Workspace: "team", Name: "c"}, nil)
			if m.Matched != (test.denied == "") || m.NamespaceSelector != test.selector {
				t.Fatalf("got %+v, want denied by %q, selector %q", m, test.denied, test.selector)
			}
			var denied *targets.Denied
			switch errors.As(m.Err, &denied) {
			case true:
				if denied.Policy != test.denied || !strings.Contains(m.Err.Error(), "policy "+test.denied+" ") || !strings.Contains(m.Err.Error(), "targetNamespace") {
					t.Errorf("denied by %q, want %q; message: %v", denied.Policy, test.denied, m.Err)
				}
			default:
				if test.denied != "" && test.denied != "?" || test.denied == "?" && m.Err == nil {
					t.Errorf("error %v, want a denial by %q", m.Err, test.denied)
				}
			}
		})
	}
}

// A policy is asked about what a cluster would get, so it denies no cluster that gets nothing.
func TestADenialBelongsToItsRow(t *testing.T) {
	kube := "kube-system"
	spec := v1alpha1.BundleSpec{
		BundleOptions: inNamespace("apps"), Targets: to(v1alpha1.Criteria{ClusterSelector: labels("in", "yes")}),
		TargetCustomizations: []v1alpha1.Customization{
			{Criteria: v1alpha1.Criteria{ClusterName: "off"}, BundleOptions: v1alpha1.BundleOptions{Namespace: &kube}, DoNotDeploy: true},
			{Criteria: v1alpha1.Criteria{ClusterName: "sneaky"}, BundleOptions: v1alpha1.BundleOptions{Namespace: &kube}},
		},
	}
	c := compileInput(t, targets.Input{Workspace: "team", Spec: spec, Policies: []targets.Policy{{Name: "p", AllowedTargetNamespaces: []string{"apps"}}}})
	for name, want := range map[string]string{"plain": "matched", "sneaky": "error", "off": "refused"} {
		m := c.Resolve(targets.Cluster{Workspace: "team", Name: name, Labels: map[string]string{"in": "yes"}}, nil)
		if got := outcomeOf(m); got != want {
			t.Errorf("%s: %s, want %s (%+v)", name, got, want, m)
		}
	}
	if m := c.Resolve(targets.Cluster{Workspace: "team", Name: "sneaky"}, nil); outcomeOf(m) != "refused" {
		t.Errorf("a cluster that no target matches is %s", outcomeOf(m))
	}
}

// TestTenantsReachOnlyWhomTheyAreLetTo compares every pair of random tenants
// with an oracle, and checks that policies only ever take away.
func TestTenantsReachOnlyWhomTheyAreLetTo(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		in := randomTenant(r)
		c := compileInput(t, in)
		free := in
		free.Policies = nil
		unlimited := compileInput(t, free)
		for range 12 {
			cl := randomGuest(r)
			m, before := c.Resolve(cl, nil), unlimited.Resolve(cl, nil)
			if may := mayReach(in, cl); !may && (m.Matched || m.Err != nil) || may && !before.Matched {
				t.Fatalf("seed %d: reach is %t, got %+v and without policies %+v", seed, may, m, before)
			}
			if c.Reaches(cl.Workspace, cl.WorkspaceLabels) != mayReach(in, cl) {
				t.Fatalf("seed %d: Reaches disagrees about %v", seed, cl.WorkspaceLabels)
			}
			if m.Matched && (!before.Matched || cmp.Diff(before.Options, m.Options) != "") {
				t.Fatalf("seed %d: policies changed what %s gets: %+v, without them %+v", seed, cl.Key(), m, before)
			}
			if m.Matched != (before.Matched && mayUse(in)) {
				t.Fatalf("seed %d: matched %t, namespace %v, policies %+v", seed, m.Matched, in.Spec.Namespace, in.Policies)
			}
			if m.Matched {
				requireMeaning(t, in.Policies, m.NamespaceSelector, randomLabels(r))
			}
		}
	}
}

func randomTenant(r *rand.Rand) targets.Input {
	in := targets.Input{Workspace: "team", Name: "b", Spec: everywhere(), BundleLabels: randomLabels(r)}
	in.Spec.BundleOptions = inNamespace(pick(r, "absent", "", "a", "b", "c"))
	optional := func() *metav1.LabelSelector {
		if r.IntN(5) == 0 {
			return nil
		}
		return randomSelector(r)
	}
	for i := range r.IntN(4) {
		in.Mappings = append(in.Mappings, targets.Mapping{Name: fmt.Sprint("m", i), BundleSelector: optional(), NamespaceSelector: optional()})
	}
	for i := range r.IntN(3) {
		p := targets.Policy{Name: fmt.Sprint("p", i), AllowedTargetNamespaces: pick(r, nil, []string{"a"}, []string{"b", "a"})}
		if r.IntN(2) == 0 {
			p.AllowedTargetNamespaceSelector = randomSelector(r)
		}
		in.Policies = append(in.Policies, p)
	}
	return in
}

func randomGuest(r *rand.Rand) targets.Cluster {
	cl := randomCluster(r)
	cl.Workspace, cl.WorkspaceLabels = pick(r, "team", "edge", "tea", "team-2"), randomLabels(r)
	if r.IntN(4) > 0 {
		cl.WorkspaceLabels[v1alpha1.LabelWorkspace] = pick(r, "true", "true", "false")
	}
	return cl
}

func mayReach(in targets.Input, cl targets.Cluster) bool {
	return cl.Workspace == in.Workspace || cl.WorkspaceLabels[v1alpha1.LabelWorkspace] == "true" &&
		slices.ContainsFunc(in.Mappings, func(m targets.Mapping) bool {
			return selects(m.BundleSelector, in.BundleLabels) && selects(m.NamespaceSelector, cl.WorkspaceLabels)
		})
}

func mayUse(in targets.Input) bool {
	namespace := ""
	if in.Spec.Namespace != nil {
		namespace = *in.Spec.Namespace
	}
	for _, p := range in.Policies {
		if len(p.AllowedTargetNamespaces) > 0 && !slices.Contains(p.AllowedTargetNamespaces, namespace) || p.AllowedTargetNamespaceSelector != nil && namespace == "" {
			return false
		}
	}
	return true
}

// requireMeaning checks that the one text selects what all policies together select.
func requireMeaning(t *testing.T, policies []targets.Policy, text string, have map[string]string) {
	t.Helper()
	parsed, err := kubelabels.Parse(text)
	if err != nil {
		t.Fatalf("selector %q: %v", text, err)
	}
	want := !slices.ContainsFunc(policies, func(p targets.Policy) bool {
		return p.AllowedTargetNamespaceSelector != nil && !selects(p.AllowedTargetNamespaceSelector, have)
	})
	if got := parsed.Matches(kubelabels.Set(have)); got != want {
		t.Errorf("%q selects %v: %t, want %t", text, have, got, want)
	}
}

// TestTheOrderOfPoliciesAndMappingsMeansNothing permutes both.
func TestTheOrderOfPoliciesAndMappingsMeansNothing(t *testing.T) {
	policies := []targets.Policy{
		{Name: "a", AllowedTargetNamespaces: []string{"x", "y"}, AllowedTargetNamespaceSelector: labels("k", "v")},
		{Name: "b", AllowedTargetNamespaces: []string{"y", "z"}},
		{Name: "c", AllowedTargetNamespaceSelector: labels("l", "w", "k", "v")},
	}
	mappings := []targets.Mapping{
		{Name: "a", BundleSelector: unclear(), NamespaceSelector: labels()}, {Name: "b", BundleSelector: labels(), NamespaceSelector: labels("site", "eu")},
	}
	for _, namespace := range []string{"x", "y", "z", ""} {
		first := ""
		permute(policies, func(policies []targets.Policy) {
			permute(mappings, func(mappings []targets.Mapping) {
				spec := everywhere()
				spec.BundleOptions = inNamespace(namespace)
				c := compileInput(t, targets.Input{Workspace: "team", Spec: spec, Policies: policies, Mappings: mappings})
				m := c.Explain(guest("site", "eu"), nil)
				var told strings.Builder
				tell(&told, m)
				told.WriteString(m.OptionsDigest)
				if first == "" {
					first = told.String()
				}
				if diff := cmp.Diff(first, told.String()); diff != "" {
					t.Fatalf("namespace %q (-one order +another):\n%s", namespace, diff)
				}
			})
		})
	}
}

func TestAPolicyThatAsksSomethingOfNamespacesIsPartOfTheDigest(t *testing.T) {
	digest := func(policies ...targets.Policy) string {
		spec := everywhere()
		spec.BundleOptions = inNamespace("a")
		return compileInput(t, targets.Input{Workspace: "team", Spec: spec, Policies: policies}).Resolve(targets.Cluster{Workspace: "team", Name: "c"}, nil).OptionsDigest
	}
	list := targets.Policy{Name: "list", AllowedTargetNamespaces: []string{"a"}}
	asks := targets.Policy{Name: "asks", AllowedTargetNamespaceSelector: labels("k", "v")}
	if digest() != digest(list) {
		t.Error("a policy that changes nothing changes the digest")
	}
	if digest() == digest(asks) {
		t.Error("a policy that the agent has to obey does not reach it")
	}
}
