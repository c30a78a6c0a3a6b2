package bundle_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// everyKey is every key of the format with a value that says something, and what
// Load makes of it: "" where it is acted on, else the code of the problem.
var everyKey = map[string]struct{ yaml, severity string }{
	"name":                         {"name: x", ""},
	"labels":                       {"labels: {a: b}", ""},
	"defaultNamespace":             {"defaultNamespace: x", ""},
	"namespace":                    {"namespace: x", ""},
	"createNamespace":              {"createNamespace: false", ""},
	"namespaceLabels":              {"namespaceLabels: {a: b}", ""},
	"namespaceAnnotations":         {"namespaceAnnotations: {a: b}", ""},
	"kustomize.dir":                {"kustomize: {dir: k}", ""},
	"helm.chart":                   {"helm: {chart: c}", ""},
	"helm.repo":                    {"helm: {chart: c, repo: 'https://x.example'}", bundle.Error},
	"helm.version":                 {"helm: {chart: c, repo: 'https://x.example', version: 1.2.3}", bundle.Error},
	"helm.releaseName":             {"helm: {releaseName: x}", ""},
	"helm.values":                  {"helm: {values: {a: 1}}", ""},
	"helm.valuesFiles":             {"helm: {valuesFiles: [v.yaml]}", ""},
	"helm.templateValues":          {"helm: {templateValues: {a: x}}", ""},
	"helm.valuesFrom":              {"helm: {valuesFrom: [{secretKeyRef: {name: s}}]}", bundle.Error},
	"helm.takeOwnership":           {"helm: {takeOwnership: true}", ""},
	"helm.force":                   {"helm: {force: true}", ""},
	"helm.atomic":                  {"helm: {atomic: true}", bundle.Error},
	"helm.waitForJobs":             {"helm: {waitForJobs: true}", bundle.Warning},
	"helm.timeoutSeconds":          {"helm: {timeoutSeconds: 5}", bundle.Warning},
	"helm.maxHistory":              {"helm: {maxHistory: 5}", bundle.Warning},
	"helm.disablePreProcess":       {"helm: {disablePreProcess: true}", ""},
	"helm.disableDNS":              {"helm: {disableDNS: false}", bundle.Warning},
	"helm.skipSchemaValidation":    {"helm: {skipSchemaValidation: true}", ""},
	"helm.disableDependencyUpdate": {"helm: {disableDependencyUpdate: true}", ""},
	"yaml.overlays":                {"yaml: {overlays: [a]}", bundle.Error},
	"serviceAccount":               {"serviceAccount: x", ""},
	"forceSyncGeneration":          {"forceSyncGeneration: 2", ""},
	"keepResources":                {"keepResources: true", ""},
	"deleteNamespace":              {"deleteNamespace: true", ""},
	"deleteCRDResources":           {"deleteCRDResources: true", ""},
	"correctDrift.enabled":         {"correctDrift: {enabled: true}", ""},
	"correctDrift.force":           {"correctDrift: {force: true}", bundle.Warning},
	"correctDrift.keepFailHistory": {"correctDrift: {keepFailHistory: true}", bundle.Warning},
	"diff.comparePatches":          {"diff: {comparePatches: [{kind: Service}]}", bundle.Error},
	"ignore.conditions":            {"ignore: {conditions: [{type: Active}]}", bundle.Warning},
	"downstreamResources":          {"downstreamResources: [{kind: Secret, name: s}]", bundle.Error},
	"hubValuesFrom":                {"hubValuesFrom: [{secretKeyRef: {name: s}}]", bundle.Error},
	"health":                       {"health: [{apiVersion: v1, kind: Pod, current: 'true'}]", bundle.Warning},
	"drift.mode":                   {"drift: {mode: correct}", ""},
	"drift.ignore":                 {"drift: {ignore: [{kind: Service}]}", bundle.Error},
	"windows":                      {"windows: [{schedule: '0 1 * * *', duration: 1h}]", bundle.Error},
	"targetCustomizations":         {"targetCustomizations: [{name: x, clusterName: c}]", ""},
	"targetCustomizationMode":      {"targetCustomizationMode: AllMatches", ""},
	"targets":                      {"targets: [{name: x, clusterName: c}]", bundle.Warning},
	"overrideTargets":              {"overrideTargets: [{name: x, clusterSelector: {}}]", ""},
	"dependsOn":                    {"dependsOn: [{name: x}]", bundle.Error},
	"rolloutStrategy":              {"rolloutStrategy: {}", bundle.Error},
	"rollout":                      {"rollout: {all: true}", ""},
	"paused":                       {"paused: true", ""},
	"imageScans":                   {"imageScans: [{image: x}]", bundle.Warning},
}

func TestEveryKeyIsActedOnOrReported(t *testing.T) {
	if diff := cmp.Diff(bundle.Keys(), slices.Sorted(maps.Keys(everyKey))); diff != "" {
		t.Errorf("keys of the format and of this table (-format +table):\n%s", diff)
	}
	for key, test := range everyKey {
		tree := files("fleet.yaml", test.yaml+"\n", "a.yaml", configMap)
		maps.Copy(tree, needed(key))
		r := load(tree, v1alpha1.GitRepoSpec{})
		if broken := test.severity == bundle.Error; broken != (len(r.Bundles) == 0) || broken != (len(r.Broken) == 1) {
			t.Errorf("%s: bundles %d, broken %v, problems %v", key, len(r.Bundles), r.Broken, r.Problems)
		}
		severity, named := "", test.severity == "" || key == "targets"
		for _, p := range r.Problems {
			severity, named = p.Severity, named || strings.Contains(p.Message, key)
			if p.File != "fleet.yaml" || p.Line != 1 || p.Column == 0 {
				t.Errorf("%s: place of %+v", key, p)
			}
		}
		if severity != test.severity || !named {
			t.Errorf("%s: severity %q, want %q; named %t: %v", key, severity, test.severity, named, r.Problems)
		}
	}
}

// needed are the files a key points to.
func needed(key string) fstest.MapFS {
	switch key {
	case "kustomize.dir":
		return files("k/kustomization.yaml", "resources: []\n")
	case "helm.chart", "helm.repo", "helm.version":
		return files("c/Chart.yaml", "name: c\n")
	case "helm.valuesFiles":
		return files("v.yaml", "a: 1\n")
	}
	return nil
}
