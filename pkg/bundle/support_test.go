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

// held marks a key that is a warning offline and that Deployable makes an error.
const held = "held"

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
	"helm.repo":                    {"helm: {chart: c, repo: 'https://x.example'}", ""},
	"helm.version":                 {"helm: {chart: c, repo: 'https://x.example', version: 1.2.3}", ""},
	"helm.releaseName":             {"helm: {releaseName: x}", ""},
	"helm.values":                  {"helm: {values: {a: 1}}", ""},
	"helm.valuesFiles":             {"helm: {valuesFiles: [v.yaml]}", ""},
	"helm.templateValues":          {"helm: {templateValues: {a: x}}", ""},
	"helm.valuesFrom":              {"helm: {valuesFrom: [{secretKeyRef: {name: s}}]}", ""},
	"helm.takeOwnership":           {"helm: {takeOwnership: true}", ""},
	"helm.force":                   {"helm: {force: true}", bundle.Warning},
	"helm.atomic":                  {"helm: {atomic: true}", held},
	"helm.waitForJobs":             {"helm: {waitForJobs: true}", bundle.Warning},
	"helm.timeoutSeconds":          {"helm: {timeoutSeconds: 5}", bundle.Warning},
	"helm.maxHistory":              {"helm: {maxHistory: 5}", bundle.Warning},
	"helm.disablePreProcess":       {"helm: {disablePreProcess: true}", ""},
	"helm.disableDNS":              {"helm: {disableDNS: false}", bundle.Warning},
	"helm.skipSchemaValidation":    {"helm: {skipSchemaValidation: true}", ""},
	"helm.disableDependencyUpdate": {"helm: {disableDependencyUpdate: true}", ""},
	"yaml.overlays":                {"yaml: {overlays: [a]}", ""},
	"serviceAccount":               {"serviceAccount: x", ""},
	"forceSyncGeneration":          {"forceSyncGeneration: 2", ""},
	"keepResources":                {"keepResources: true", ""},
	"deleteNamespace":              {"deleteNamespace: true", ""},
	"deleteCRDResources":           {"deleteCRDResources: true", ""},
	"correctDrift.enabled":         {"correctDrift: {enabled: true}", ""},
	"correctDrift.force":           {"correctDrift: {force: true}", bundle.Warning},
	"correctDrift.keepFailHistory": {"correctDrift: {keepFailHistory: true}", bundle.Warning},
	"diff.comparePatches":          {"{correctDrift: {enabled: true}, diff: {comparePatches: [{kind: Service}]}}", ""},
	"ignore.conditions":            {"ignore: {conditions: [{type: Active}]}", bundle.Warning},
	"downstreamResources":          {"downstreamResources: [{kind: Secret, name: s}]", ""},
	"hubValuesFrom":                {"hubValuesFrom: [{secretKeyRef: {name: s}}]", ""},
	"health":                       {"health: [{apiVersion: v1, kind: Pod, current: 'true'}]", bundle.Warning},
	"drift.mode":                   {"drift: {mode: correct}", ""},
	"drift.ignore":                 {"drift: {mode: correct, ignore: [{kind: Service}]}", ""},
	"windows":                      {"windows: [{schedule: '0 1 * * *', duration: 1h}]", held},
	"targetCustomizations":         {"targetCustomizations: [{name: x, clusterName: c}]", ""},
	"targetCustomizationMode":      {"targetCustomizationMode: AllMatches", ""},
	"targets":                      {"targets: [{name: x, clusterName: c}]", bundle.Warning},
	"overrideTargets":              {"overrideTargets: [{name: x, clusterSelector: {}}]", ""},
	"dependsOn":                    {"dependsOn: [{name: x}]", held},
	"rolloutStrategy":              {"rolloutStrategy: {}", held},
	"rollout":                      {"rollout: {all: true}", ""},
	"paused":                       {"paused: true", ""},
	"imageScans":                   {"imageScans: [{image: x}]", bundle.Warning},
}

func TestEveryKeyIsActedOnOrReported(t *testing.T) {
	if diff := cmp.Diff(topKeys(), slices.Sorted(maps.Keys(everyKey))); diff != "" {
		t.Errorf("keys of the format and of this table (-format +table):\n%s", diff)
	}
	for key, test := range everyKey {
		severity := test.severity
		if severity == held {
			severity = bundle.Warning
		}
		tree := files("fleet.yaml", test.yaml+"\n", "a.yaml", configMap)
		maps.Copy(tree, needed(key))
		r := load(tree, v1alpha1.GitRepoSpec{})
		if len(r.Bundles) != 1 || len(r.Broken) != 0 {
			t.Fatalf("%s: bundles %d, broken %v, problems %v", key, len(r.Bundles), r.Broken, r.Problems)
		}
		got, named := "", test.severity == "" || key == "targets"
		for _, p := range r.Problems {
			got, named = p.Severity, named || strings.Contains(p.Message, key)
			if p.File != "fleet.yaml" || p.Line != 1 || p.Column == 0 {
				t.Errorf("%s: place of %+v", key, p)
			}
		}
		if got != severity || !named {
			t.Errorf("%s: severity %q, want %q; named %t: %v", key, got, severity, named, r.Problems)
		}
		checkDeployable(t, key, r, test.severity == held)
	}
}

// topKeys are the keys to be acted on or reported: blocks such as helm laid open
// one level; rollout and rolloutStrategy mean something by being there.
func topKeys() []string {
	var keys []string
	for _, k := range bundle.Keys() {
		block, _, below := strings.Cut(k.Path, ".")
		whole := block == "rollout" || block == "rolloutStrategy"
		if !strings.Contains(k.Path, "[]") && (k.Type != "block" && !(whole && below) || whole && !below) {
			keys = append(keys, k.Path)
		}
	}
	return keys
}

// checkDeployable holds what the hub makes of a result against what is wanted.
func checkDeployable(t *testing.T, key string, r bundle.Result, held bool) {
	t.Helper()
	name, d := r.Bundles[0].Name, r.Deployable()
	if !held {
		if len(d.Bundles) != 1 || len(d.Broken) != 0 || len(r.Bundles[0].Unsupported) != 0 {
			t.Errorf("%s is not deployed: %v %v", key, d.Broken, d.Problems)
		}
		return
	}
	if diff := cmp.Diff([]string{key}, r.Bundles[0].Unsupported); diff != "" {
		t.Errorf("%s: unsupported (-want +got):\n%s", key, diff)
	}
	if len(d.Bundles) != 0 || !slices.Equal(d.Broken, []string{name}) || len(d.Problems) != 1 || d.Problems[0].Severity != bundle.Error || d.Problems[0].Bundle != name {
		t.Errorf("%s is deployed: broken %v, problems %v", key, d.Broken, d.Problems)
	}
	if r.Problems[0].Severity != bundle.Warning || len(r.Broken) != 0 {
		t.Errorf("%s: Deployable changed what it was asked of", key)
	}
}

// needed are the files a key points to.
func needed(key string) fstest.MapFS {
	switch key {
	case "kustomize.dir":
		return files("k/kustomization.yaml", "resources: []\n")
	case "helm.chart", "helm.repo", "helm.version":
		return files("c/Chart.yaml", "name: c\n")
	case "yaml.overlays":
		return files("overlays/a/b.yaml", configMap)
	case "helm.valuesFiles":
		return files("v.yaml", "a: 1\n")
	}
	return nil
}
