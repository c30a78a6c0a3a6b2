package renderer

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// copiedFrom stands where other objects have a file: they are written in no file of the bundle.
const copiedFrom = "downstreamResources"

// copiedFields are what remains of an object from the hub; its metadata belongs
// to another cluster.
var copiedFields = []string{"apiVersion", "kind", "type", "immutable", "data", "binaryData"}

// copiedObjects are the ConfigMaps and Secrets that come along from the hub,
// made objects of the release namespace.
func copiedObjects(in Inputs) ([]manifest.Object, error) {
	namespace := settingsOf(in).ReleaseNamespace()
	var objects []manifest.Object
	for _, raw := range in.Copied {
		data, err := stripped(raw, namespace)
		if err != nil {
			return nil, err
		}
		o, err := manifest.FromJSON(copiedFrom, data)
		if err != nil {
			return nil, err
		}
		if o.APIVersion != "v1" || o.Kind != "ConfigMap" && o.Kind != "Secret" {
			return nil, manifest.NewFault(copiedFrom, 0, manifest.InvalidObject, "%s %s of %s: only ConfigMaps and Secrets are copied", o.Kind, o.Name, o.APIVersion)
		}
		o.Plain, o.Copied = true, true
		objects = append(objects, o)
	}
	return objects, nil
}

func stripped(raw json.RawMessage, namespace string) ([]byte, error) {
	var whole map[string]any
	if err := manifest.DecodeJSON(raw, &whole); err != nil {
		return nil, manifest.NewFault(copiedFrom, 0, manifest.InvalidObject, "an object from the hub is no JSON object")
	}
	kept := map[string]any{}
	for _, field := range copiedFields {
		if value, ok := whole[field]; ok && value != nil {
			kept[field] = value
		}
	}
	from, _ := whole["metadata"].(map[string]any)
	metadata := map[string]any{"name": from["name"], "namespace": namespace}
	if labels := freeLabels(from["labels"]); len(labels) > 0 {
		metadata["labels"] = labels
	}
	kept["metadata"] = metadata
	return json.Marshal(kept)
}

// freeLabels leaves out what says who owns the object on the hub.
func freeLabels(value any) map[string]any {
	labels, _ := value.(map[string]any)
	labels = maps.Clone(labels)
	maps.DeleteFunc(labels, func(key string, _ any) bool {
		return strings.HasPrefix(key, "muster.dev/") || slices.Contains(ownership, key)
	})
	return labels
}

// ownership are labels by which others recognise what is theirs.
var ownership = []string{"app.kubernetes.io/managed-by", "app.kubernetes.io/instance"}
