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
		"a chart": {files("Chart.yaml", "name: c\nversion: 1.0.0\n", "README.md", "x"), nil},
		"beside a chart": {files("fleet.yaml", "helm: {chart: chart, valuesFiles: [vals/a.yaml]}\n", "vals/a.yaml", "q: 1\n", "vals/b.yaml", "q: 1\n", "extra.yaml", configMap,
			"chart/Chart.yaml", "name: c\nversion: 1.0.0\n", "chart/files/x.txt", "x", "chart2/Chart.yaml", "name: c\nversion: 1.0.0\n"), []string{"chart2/Chart.yaml", "extra.yaml", "vals/b.yaml"}},
		"charts of some targets and their dependencies": {files("fleet.yaml", "helm: {chart: one}\ntargetCustomizations: [{clusterName: c, helm: {chart: two.tgz}}]\n", "two.tgz", "x", "README.md", "x",
			"one/Chart.yaml", "name: one\nversion: 1.0.0\ndependencies: [{name: lib, version: 1.0.0, repository: 'file://../lib'}]\n",
			"lib/Chart.yaml", "name: lib\nversion: 1.0.0\ndependencies: [{name: base, version: 1.0.0, repository: 'file://../base'}]\n",
			"base/Chart.yaml", "name: base\nversion: 1.0.0\n"), []string{"README.md"}},
		"beside a chart from elsewhere": {files("fleet.yaml", "helm: {chart: 'oci://r.example/c'}\n", "extra.yaml", configMap), []string{"extra.yaml"}},
		"a chart for some, manifests for others": {files("fleet.yaml", "targetCustomizations: [{clusterName: c, helm: {chart: chart}}]\n", "a.yaml", configMap, "README.md", "x",
			"chart/Chart.yaml", "name: c\nversion: 1.0.0\n"), nil},
		"a chart that a kustomization patches": {files("fleet.yaml", "helm: {chart: chart}\nkustomize: {dir: k}\n", "k/kustomization.yaml", "resources: [fleet-manifests.yaml]\n", "README.md", "x",
			"chart/Chart.yaml", "name: c\nversion: 1.0.0\n"), nil},
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
