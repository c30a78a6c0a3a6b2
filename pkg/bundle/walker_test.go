package bundle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// TestAKeyOfTheWholeBundleInACustomizationIsToldItsPlace: it is spelt right, so
// that "unknown key" alone would not help.
func TestAKeyOfTheWholeBundleInACustomizationIsToldItsPlace(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"paused":           {"targetCustomizations: [{clusterName: c, paused: true}]", "paused belongs at the top of the file: it is of the bundle as a whole"},
		"labels":           {"targetCustomizations: [{clusterName: c, labels: {a: b}}]", "labels belongs at the top of the file: it is of the bundle as a whole"},
		"dependsOn":        {"targets: [{clusterName: c, dependsOn: [{name: x}]}]", "dependsOn belongs at the top of the file: it is of the bundle as a whole"},
		"rolloutStrategy":  {"targetCustomizations: [{clusterName: c, rolloutStrategy: {maxUnavailable: 1}}]", "rolloutStrategy belongs at the top of the file: it is of the bundle as a whole"},
		"customizations":   {"overrideTargets: [{clusterName: c, targetCustomizations: []}]", "targetCustomizations belongs at the top of the file: it is of the bundle as a whole"},
		"a slip":           {"targetCustomizations: [{clusterName: c, keepResuorces: true}]", "did you mean keepResources?"},
		"in another block": {"helm: {paused: true}", ""},
	}
	for name, test := range tests {
		r := load(files("fleet.yaml", test.text+"\n", "a.yaml", configMap), v1alpha1.GitRepoSpec{})
		var got []string
		for _, p := range r.Problems {
			if p.Code == "UnknownKey" {
				got = append(got, p.Suggestion)
			}
		}
		if diff := cmp.Diff([]string{test.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
