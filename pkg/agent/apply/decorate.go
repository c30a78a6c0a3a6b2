package apply

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/health"
	"github.com/muster-dev/muster/pkg/agent/volatile"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// shared is the label's value on objects that several bundles own: all of them
// set the same, so that none fights another.
const shared = "shared"

// decorate adds our label and owner annotation, and Helm's own metadata to a
// chart's objects, so that leaving and adopting need no rewrite. Of live, if it
// is given, the volatile values are kept; the API server then takes the object
// only if live is still what is there.
func decorate(a core.Apply, o content.Object, options content.Options, namespace string, live map[string]any) ([]byte, error) {
	object, err := desired(o, live)
	if err != nil {
		return nil, err
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("manifest of %s has no metadata", a.Key)
	}
	if namespace == "" {
		delete(metadata, "namespace")
	} else {
		metadata["namespace"] = namespace
	}
	if there, ok := live["metadata"].(map[string]any); ok {
		metadata["uid"], metadata["resourceVersion"] = there["uid"], there["resourceVersion"]
	}
	if a.Role != content.RoleNone {
		set(metadata, "labels", v1alpha1.LabelBundle, shared)
		return json.Marshal(object)
	}
	set(metadata, "labels", v1alpha1.LabelBundle, core.ShortUID(a.Bundle))
	set(metadata, "annotations", v1alpha1.AnnotationOwner, a.Bundle+"/"+a.Intent)
	if options.Helm != "" {
		set(metadata, "labels", "app.kubernetes.io/managed-by", "Helm")
		set(metadata, "annotations", "meta.helm.sh/release-name", options.Helm)
		set(metadata, "annotations", "meta.helm.sh/release-namespace", options.Namespace)
	}
	return json.Marshal(object)
}

// desired is the object as it is to be on the cluster: in the form in which the
// API server keeps it, with the volatile values that live has already.
func desired(o content.Object, live map[string]any) (map[string]any, error) {
	object, err := health.Decode(o.Manifest)
	if err != nil {
		return nil, fmt.Errorf("manifest of %s: %w", o.Key, err)
	}
	paths := volatile.Pointers(object, o.Volatile)
	normalize(object)
	volatile.Keep(object, live, paths)
	return object, nil
}

// normalize brings an object into the form in which the API server keeps it,
// where server-side apply would lose track otherwise: a Secret's stringData is
// written into data, whose fields nobody would own.
func normalize(object map[string]any) {
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "managedFields")
		delete(metadata, "creationTimestamp")
	}
	texts, ok := object["stringData"].(map[string]any)
	if !ok || object["kind"] != "Secret" || object["apiVersion"] != "v1" {
		return
	}
	delete(object, "stringData")
	for k, v := range texts {
		if s, ok := v.(string); ok {
			set(object, "data", k, base64.StdEncoding.EncodeToString([]byte(s)))
		}
	}
}

func set(metadata map[string]any, field, key, value string) {
	m, ok := metadata[field].(map[string]any)
	if !ok {
		m = map[string]any{}
		metadata[field] = m
	}
	m[key] = value
}
