package helm

import (
	"encoding/json"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// checkSchemas refuses schemas that would be fetched: Helm's validator follows
// references to files and URLs.
func checkSchemas(c *loaded, part *chart.Chart) error {
	if part.Schema != nil {
		var schema any
		if err := json.Unmarshal(part.Schema, &schema); err != nil {
			return c.fault(schemaFile(part), manifest.InvalidValues, "%v", err)
		}
		if ref := remoteReference(schema, ""); ref != "" {
			return c.fault(schemaFile(part), manifest.RemoteRefused, "%q would be fetched while rendering; copy it into the schema", ref)
		}
	}
	for _, dependency := range part.Dependencies() {
		if err := checkSchemas(c, dependency); err != nil {
			return err
		}
	}
	return nil
}

func schemaFile(part *chart.Chart) string {
	_, below, _ := strings.Cut(part.ChartFullPath()+"/", "/")
	return below + "values.schema.json"
}

// remoteReference returns a reference that leaves the document, or "". A
// reference is relative to $id, so one to a place named by an $id of the same
// document stays inside; the drafts' own meta-schemas are built in.
func remoteReference(v any, key string) string {
	switch v := v.(type) {
	case string:
		isRef := key == "$ref" || key == "$dynamicRef" || key == "$recursiveRef" || key == "$schema"
		if isRef && !strings.HasPrefix(v, "#") && !builtinSchema(v) {
			return v
		}
	case []any:
		for _, item := range v {
			if ref := remoteReference(item, ""); ref != "" {
				return ref
			}
		}
	case map[string]any:
		for name, item := range v {
			if ref := remoteReference(item, name); ref != "" {
				return ref
			}
		}
	}
	return ""
}

func builtinSchema(ref string) bool {
	return strings.HasPrefix(ref, "http://json-schema.org/") || strings.HasPrefix(ref, "https://json-schema.org/")
}
