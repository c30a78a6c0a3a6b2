package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// printObjects prints whole objects: one for one name, else a List.
func (a *app) printObjects(ctx context.Context, h *hub, q query) error {
	objects, err := h.objects(ctx, q)
	if err != nil {
		return err
	}
	if len(objects) == 0 {
		a.nothing(h, q)
	}
	if len(q.names) == 1 {
		return a.printValue(objects[0], q.output)
	}
	list := map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}, "items": objects}
	return a.printValue(list, q.output)
}

// objects reads by name, or the list.
func (h *hub) objects(ctx context.Context, q query) ([]any, error) {
	found := []any{}
	for _, name := range q.names {
		var object map[string]any
		if err := h.get(ctx, q.kind.path(q.namespace(h))+"/"+q.object(name), &object); err != nil {
			return nil, err
		}
		found = append(found, clean(object))
	}
	if len(q.names) > 0 {
		return found, nil
	}
	var list unstructured.UnstructuredList
	if err := h.get(ctx, q.kind.path(q.namespace(h)), &list); err != nil {
		return nil, err
	}
	for _, item := range list.Items {
		if q.wants(item.GetName()) {
			found = append(found, clean(item.Object))
		}
	}
	return found, nil
}

// clean leaves out managedFields, as kubectl does.
func clean(object map[string]any) map[string]any {
	unstructured.RemoveNestedField(object, "metadata", "managedFields")
	return object
}

// printValue prints JSON indented by four, as kubectl does, or YAML.
func (a *app) printValue(value any, format string) error {
	if format == "yaml" {
		text, err := yaml.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode as YAML: %w", err)
		}
		_, err = a.Out.Write(text)
		return err
	}
	encoder := json.NewEncoder(a.Out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	return encoder.Encode(value)
}
