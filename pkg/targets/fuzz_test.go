package targets_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
	"sigs.k8s.io/yaml"
)

// FuzzSelector compiles any spec and asks it: Resolve and Explain agree, and
// every cluster lands in exactly one outcome.
func FuzzSelector(f *testing.F) {
	f.Add("targets: [{clusterSelector: {matchLabels: {env: prod}}}]\n", "env", "prod")
	f.Add("targets: [{clusterGroup: g, clusterSelector: {matchExpressions: [{key: env, operator: In, values: [a]}]}}]\ntargetCustomizationMode: AllMatches\n", "env", "a")
	f.Add("targets: [{clusterSelector: {}}]\nhelm: {values: {a: global.fleet.clusterLabels.env, b: '${ .X }'}}\ntargetCustomizations: [{clusterName: c, helm: {values: {a: null}}}]\n", "", "")
	f.Add("targetRestrictions: [{clusterGroupSelector: {matchExpressions: [{key: 'a b', operator: Gt}]}}]\n", "a", "1")
	f.Fuzz(func(t *testing.T, text, key, value string) {
		var spec v1alpha1.BundleSpec
		if yaml.Unmarshal([]byte(text), &spec) != nil {
			return
		}
		c, err := targets.Compile(targets.Input{Workspace: "team", Name: "b", Spec: spec, HandMade: len(text)%2 == 0})
		if err != nil {
			return
		}
		cl := targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{key: value}}
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
