package manifest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/content"
)

// AnnotationWave orders an object after those of lower waves, and is the only
// key under muster.dev/ that a tenant may set.
const AnnotationWave = "muster.dev/wave"

// reservedPrefix is refused in tenants' labels and annotations: ownership and the watch filter live there.
const reservedPrefix = "muster.dev/"

var (
	kindPattern    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,127}$`)
	groupPattern   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	versionPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	labelPattern   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

// serverSet are fields of metadata that only an API server writes.
var serverSet = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}

// newObject checks what every object must have and drops what only a server writes.
func newObject(file string, line int, body map[string]any) (Object, error) {
	o := Object{File: file, Line: line, Body: body}
	o.APIVersion, _ = body["apiVersion"].(string)
	o.Kind, _ = body["kind"].(string)
	if o.APIVersion == "" || o.Kind == "" {
		return o, o.fault(InvalidObject, "not a Kubernetes object: apiVersion and kind are needed")
	}
	group, version, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		group, version = "", o.APIVersion
	}
	o.Group = group
	if (grouped && !groupPattern.MatchString(group)) || !versionPattern.MatchString(version) {
		return o, o.fault(InvalidObject, "apiVersion %q is not group/version", o.APIVersion)
	}
	if !kindPattern.MatchString(o.Kind) {
		return o, o.fault(InvalidObject, "kind %q is not a kind", o.Kind)
	}
	metadata, ok := body["metadata"].(map[string]any)
	if !ok {
		return o, o.fault(InvalidObject, "%s has no metadata", o.Kind)
	}
	if err := o.name(metadata); err != nil {
		return o, err
	}
	o.dropServerSet(metadata)
	return o, o.checkKeys(metadata)
}

func (o *Object) name(metadata map[string]any) error {
	o.Name, _ = metadata["name"].(string)
	o.Namespace, _ = metadata["namespace"].(string)
	_, isText := metadata["name"].(string)
	switch {
	case !isText && metadata["name"] != nil:
		return o.fault(InvalidObject, "metadata.name of %s is not a string; put it in quotes", o.Kind)
	case o.Name == "" && metadata["generateName"] != nil:
		return o.fault(InvalidObject, "%s has generateName: a name is needed, or every sync would create another", o.Kind)
	case o.Name == "":
		return o.fault(InvalidObject, "%s has no metadata.name", o.Kind)
	case len(o.Name) > 253 || strings.ContainsAny(o.Name, "/%") || o.Name == "." || o.Name == ".." || Clean(o.Name) != o.Name:
		return o.fault(InvalidObject, "metadata.name %q of %s is not a name", o.Name, o.Kind)
	case o.Namespace != "" && !labelPattern.MatchString(o.Namespace):
		return o.fault(InvalidObject, "metadata.namespace %q of %s %s is not a namespace", o.Namespace, o.Kind, o.Name)
	}
	return nil
}

// dropServerSet removes status and server-set metadata; tools that export
// objects leave them behind, and applying them claims fields of others.
func (o *Object) dropServerSet(metadata map[string]any) {
	delete(o.Body, "status")
	for _, key := range serverSet {
		delete(metadata, key)
	}
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
	}
	for _, key := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
		if metadata[key] == nil {
			delete(metadata, key)
		}
	}
	if template := podTemplate(o.Body); template != nil && template["creationTimestamp"] == nil {
		delete(template, "creationTimestamp")
	}
}

// podTemplate is the metadata of a workload's pods, if there is one.
func podTemplate(body map[string]any) map[string]any {
	metadata, ok := dig(body, "spec", "template", "metadata")
	if !ok {
		metadata, _ = dig(body, "spec", "jobTemplate", "spec", "template", "metadata")
	}
	return metadata
}

func dig(body map[string]any, path ...string) (map[string]any, bool) {
	for _, key := range path {
		next, ok := body[key].(map[string]any)
		if !ok {
			return nil, false
		}
		body = next
	}
	return body, true
}

// checkKeys refuses reserved labels and annotations, and values the API server would refuse.
func (o *Object) checkKeys(metadata map[string]any) error {
	for _, field := range []string{"labels", "annotations"} {
		if err := o.checkMap(metadata[field], field); err != nil {
			return err
		}
	}
	if template := podTemplate(o.Body); template != nil {
		// A pod that carried our label would be watched, and counted, as an object of a bundle.
		return o.checkMap(template["labels"], "pod template's labels")
	}
	return nil
}

func (o *Object) checkMap(value any, field string) error {
	if value == nil {
		return nil
	}
	m, ok := value.(map[string]any)
	if !ok {
		return o.fault(InvalidObject, "%s of %s %s are not a mapping", field, o.Kind, o.Name)
	}
	for _, key := range sortedKeys(m) {
		if strings.HasPrefix(key, reservedPrefix) && (key != AnnotationWave || field != "annotations") {
			return o.fault(ReservedKey, "%s of %s %s: %s is reserved; only annotation %s may be set", field, o.Kind, o.Name, key, AnnotationWave)
		}
		if _, ok := m[key].(string); !ok && m[key] != nil {
			return o.fault(InvalidObject, "%s of %s %s: the value of %s is not a string; put it in quotes", field, o.Kind, o.Name, key)
		}
	}
	return nil
}

// Key of the object as it stands, namespace included.
func (o *Object) Key() content.Key {
	return content.NewKey(o.Group, o.Kind, o.Namespace, o.Name)
}

func (o *Object) annotation(key string) string {
	annotations, _ := dig(o.Body, "metadata", "annotations")
	value, _ := annotations[key].(string)
	return value
}

// set writes metadata.<field>.<key>.
func (o *Object) set(field, key, value string) {
	metadata := o.Body["metadata"].(map[string]any) // newObject saw to it
	m, ok := metadata[field].(map[string]any)
	if !ok {
		m = map[string]any{}
		metadata[field] = m
	}
	m[key] = value
}

func (o *Object) wave() (int, error) {
	text := o.annotation(AnnotationWave)
	if text == "" {
		return 0, nil
	}
	wave, err := strconv.Atoi(text)
	if err != nil || wave < -1000 || wave > 1000 {
		return 0, o.fault(InvalidObject, "%s of %s %s is not a number from -1000 to 1000", AnnotationWave, o.Kind, o.Name)
	}
	return wave, nil
}

func (o *Object) fault(code, format string, args ...any) *Fault {
	return NewFault(o.File, o.Line, code, format, args...)
}

// canonical bytes: keys sorted, no insignificant space.
func (o *Object) canonical() (json.RawMessage, error) {
	data, err := json.Marshal(o.Body)
	if err != nil {
		return nil, o.fault(InvalidObject, "%s %s: %v", o.Kind, o.Name, err)
	}
	return data, nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
