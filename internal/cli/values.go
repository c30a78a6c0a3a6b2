package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// objects are the ConfigMaps and Secrets of an inventory. They stand for those of
// the hub's workspaces and for those on every cluster alike.
type objects map[objectKey]keyed

type objectKey struct{ kind, namespace, name string }

// keyed is one of them: its data, and the whole as JSON.
type keyed struct {
	data  map[string][]byte
	whole json.RawMessage
}

func (o objects) add(object unstructured.Unstructured, data map[string][]byte) error {
	whole, err := json.Marshal(copyOf(object, data))
	if err != nil {
		return errors.New("it cannot be encoded")
	}
	o[objectKey{object.GetKind(), object.GetNamespace(), object.GetName()}] = keyed{data, whole}
	return nil
}

// copyOf is the object as the hub sends it to clusters: its name and what it
// holds. Labels and annotations speak of the hub.
func copyOf(object unstructured.Unstructured, data map[string][]byte) map[string]any {
	out := map[string]any{"apiVersion": "v1", "kind": object.GetKind(), "metadata": map[string]any{"name": object.GetName()}}
	for _, field := range []string{"immutable", "data", "binaryData"} {
		if value, ok := object.Object[field]; ok {
			out[field] = value
		}
	}
	if object.GetKind() == "Secret" {
		out["data"] = data // stringData is in it; JSON writes bytes as base64
		if out["type"] = object.Object["type"]; out["type"] == nil {
			out["type"] = "Opaque" // as the API server says
		}
	}
	return out
}

// elsewhere says that what a bundle deploys is not decided by the files alone:
// nothing is wrong, and nothing can be printed.
type elsewhere struct {
	// where is "on the cluster" or "on the hub".
	where, reason string
}

func (e *elsewhere) Error() string { return "decided " + e.where + ": " + e.reason }

// fill adds to inputs what their options read from ConfigMaps and Secrets.
func (o objects) fill(in *renderer.Inputs, workspace string) error {
	if err := o.fillHub(in, workspace); err != nil {
		return err
	}
	reason := renderer.Late(in.Files, in.Options)
	if reason == "" {
		return nil
	}
	if in.Options.Helm == nil || len(in.Options.Helm.ValuesFrom) == 0 {
		return &elsewhere{"on the cluster", reason}
	}
	release := renderer.ContentOptions(*in).Namespace
	for _, ref := range bundle.OrderValues(in.Options.Helm.ValuesFrom) {
		if ref.Namespace == "" {
			ref.Namespace = release
		}
		values, known, err := o.values("helm.valuesFrom", ref)
		if err != nil {
			return err
		}
		if !known {
			return &elsewhere{"on the cluster", reason}
		}
		in.LateValues = append(in.LateValues, values)
	}
	return nil
}

// fillHub reads hubValuesFrom and downstreamResources in the workspace.
func (o objects) fillHub(in *renderer.Inputs, workspace string) error {
	for _, ref := range bundle.OrderValues(in.Options.HubValuesFrom) {
		if ref.Namespace != "" && ref.Namespace != workspace {
			return missing("hubValuesFrom: %s %s lies in namespace %s; on the hub values are read from the bundle's own workspace %s only", ref.Kind, ref.Name, ref.Namespace, workspace)
		}
		ref.Namespace = workspace
		values, known, err := o.values("hubValuesFrom", ref)
		if err != nil {
			return err
		}
		if !known {
			return &elsewhere{"on the hub", fmt.Sprintf("hubValuesFrom reads %s %s in %s (key %s)", ref.Kind, ref.Name, ref.Namespace, ref.Key)}
		}
		in.HubValues = append(in.HubValues, values)
	}
	for _, r := range in.Options.DownstreamResources {
		found, known := o[objectKey{r.Kind, workspace, r.Name}]
		if !known {
			return &elsewhere{"on the hub", fmt.Sprintf("downstreamResources copies %s %s from %s", r.Kind, r.Name, workspace)}
		}
		in.Copied = append(in.Copied, found.whole)
	}
	return nil
}

// values reads one key as JSON. An object that is there without the key is a
// fault; one that is not there may well be where it counts. Errors never quote
// what is in it.
func (o objects) values(option string, ref bundle.ValuesRef) (values json.RawMessage, known bool, err error) {
	found, known := o[objectKey{ref.Kind, ref.Namespace, ref.Name}]
	if !known {
		return nil, false, nil
	}
	text, ok := found.data[ref.Key]
	if !ok {
		return nil, true, missing("%s: %s %s in %s has no key %s", option, ref.Kind, ref.Name, ref.Namespace, strings.TrimSpace(ref.Key+" "+nearestKey(ref.Key, found.data)))
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, true, missing("%s: key %s of %s %s in %s holds no YAML map", option, ref.Key, ref.Kind, ref.Name, ref.Namespace)
	}
	if document == nil { // empty, or only comments
		return json.RawMessage("{}"), true, nil
	}
	values, err = json.Marshal(document)
	return values, true, err
}

func missing(format string, args ...any) error {
	return &renderer.Problem{Problem: bundle.Problem{Code: manifest.ValuesMissing, Message: fmt.Sprintf(format, args...)}}
}

func nearestKey(key string, data map[string][]byte) string {
	var known []string
	for k := range data {
		known = append(known, k)
	}
	if near := nearest(key, known); near != "" {
		return "(did you mean " + near + "?)"
	}
	return ""
}
