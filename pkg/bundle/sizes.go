package bundle

import (
	"regexp"
	"strings"
)

// maxEntries and maxText are the bounds that the API sets on lists, maps and
// texts of a Bundle, by key; a test holds them against the API's own schema.
// Keys of customizations are those of the file itself.
var (
	maxEntries = map[string]int{
		"namespaceLabels": 100, "namespaceAnnotations": 100, "downstreamResources": 100, "hubValuesFrom": 100, "health": 100, "windows": 20,
		"helm.valuesFiles": 1000, "helm.templateValues": 1000, "helm.valuesFrom": 100, "yaml.overlays": 100,
		"diff.comparePatches": 1000, "diff.comparePatches[].operations": 100, "diff.comparePatches[].jsonPointers": 1000,
		"drift.ignore": 1000, "drift.ignore[].operations": 100, "drift.ignore[].jsonPointers": 1000, "ignore.conditions": 100,
		"targetCustomizations": 1000, "targets": 1000, "overrideTargets": 1000, "dependsOn": 100, "dependsOn[].acceptedStates": 16,
		"rolloutStrategy.partitions": 1000,
	}
	maxText = map[string]int{
		"kustomize.dir": 1024, "helm.chart": 2048, "helm.repo": 2048, "helm.version": 256, "helm.valuesFiles[]": 1024,
		"targetCustomizations[].name": 253, "targetCustomizations[].clusterName": 253, "targetCustomizations[].clusterGroup": 253,
		"overrideTargets[].name": 253, "overrideTargets[].clusterName": 253, "overrideTargets[].clusterGroup": 253,
		"rolloutStrategy.partitions[].name": 253, "rolloutStrategy.partitions[].clusterName": 253, "rolloutStrategy.partitions[].clusterGroup": 253,
		"dependsOn[].name": 253, "windows[].schedule": 256, "windows[].timeZone": 64,
	}
)

var listIndex = regexp.MustCompile(`\[[0-9]+\]`)

// bound finds the bound for a key as the walker writes it.
func bound(bounds map[string]int, key string) (int, bool) {
	if strings.ContainsRune(key, '[') {
		key = listIndex.ReplaceAllLiteralString(key, "[]")
		if old, ok := strings.CutPrefix(key, "targets[]."); ok {
			key = "targetCustomizations[]." + old
		}
	}
	if max, ok := bounds[key]; ok {
		return max, true
	}
	rest, ok := strings.CutPrefix(key, "targetCustomizations[].")
	if !ok {
		return 0, false
	}
	max, ok := bounds[rest]
	return max, ok && rest != "targets"
}
