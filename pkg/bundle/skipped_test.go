package bundle_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

func TestSkippedListsWhatNothingMakesObjectsOf(t *testing.T) {
	tests := map[string]struct {
		tree fstest.MapFS
		want []string
	}{
		"other endings": {files("a.yaml", configMap, "b.json", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"b\"}}", "README.md", "x", "sub/notes.txt", "x"), []string{"README.md", "sub/notes.txt"}},
		"overlays that nobody chooses": {files("a.yaml", configMap, "fleet.yaml", "yaml: {overlays: [one]}\ntargetCustomizations: [{clusterName: c, yaml: {overlays: [two]}}]\n",
			"overlays/one/a.yaml", configMap, "overlays/two/a_patch.yaml", "a: 1\n", "overlays/three/a.yaml", configMap, "overlays/a.yaml", configMap),
			[]string{"overlays/a.yaml", "overlays/three/a.yaml"}},
		"a chart":         {files("Chart.yaml", "name: c\nversion: 1.0.0\n", "README.md", "x"), nil},
		"a kustomization": {files("kustomization.yaml", "resources: []\n", "README.md", "x"), nil},
		"one target makes it a kustomization": {files("a.yaml", configMap, "README.md", "x", "k/kustomization.yaml", "resources: []\n",
			"fleet.yaml", "targetCustomizations: [{clusterName: c, kustomize: {dir: k}}]\n"), nil},
	}
	for name, test := range tests {
		r := load(test.tree, v1alpha1.GitRepoSpec{})
		if len(r.Bundles) != 1 {
			t.Fatalf("%s: %+v", name, r)
		}
		if diff := cmp.Diff(test.want, bundle.Skipped(r.Bundles[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
