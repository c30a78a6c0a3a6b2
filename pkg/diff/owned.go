package diff

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxDepth bounds how deep a field set or an object is followed.
const maxDepth = 128

// Field is one field that a manager owns.
type Field struct {
	// Path reads like spec.ports[port=80,protocol="TCP"].targetPort.
	Path string
	// Value is the live value; nil if the field is owned and absent.
	Value any
	// Present tells an absent field from one that is null.
	Present bool
}

// Owned returns the fields that manager owns by apply, sorted by path, and
// whether it owns any. Fields that server-side apply records as containers
// only are listed without a value.
func Owned(object map[string]any, manager string) ([]Field, bool) {
	sets := appliedSets(object, manager)
	if len(sets) == 0 {
		return nil, false
	}
	var fields []Field
	for _, set := range sets {
		fields = collect(fields, set, object, "", 0)
	}
	slices.SortFunc(fields, func(x, y Field) int { return strings.Compare(x.Path, y.Path) })
	return fields, true
}

// appliedSets returns the field sets (FieldsV1) of a manager's applies to the
// main resource.
func appliedSets(object map[string]any, manager string) []map[string]any {
	var sets []map[string]any
	for _, entry := range managed(object) {
		if entry["manager"] != manager || entry["operation"] != "Apply" || text(entry["subresource"]) != "" {
			continue
		}
		if set, ok := entry["fieldsV1"].(map[string]any); ok {
			sets = append(sets, set)
		}
	}
	return sets
}

// managed returns the entries of metadata.managedFields.
func managed(object map[string]any) []map[string]any {
	metadata, _ := object["metadata"].(map[string]any)
	list, _ := metadata["managedFields"].([]any)
	entries := make([]map[string]any, 0, len(list))
	for _, e := range list {
		if entry, ok := e.(map[string]any); ok {
			entries = append(entries, entry)
		}
	}
	return entries
}

// Managers returns the names of all managers that own fields of the object
// itself, sorted.
func Managers(object map[string]any) []string {
	names := map[string]bool{}
	for _, entry := range managed(object) {
		if text(entry["subresource"]) == "" {
			names[text(entry["manager"])] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// collect follows a FieldsV1 set into the live value: "f:name" is a field,
// "k:{...}" a list item by keys, "v:..." a member of a set, "i:n" an index and
// "." the item itself.
func collect(fields []Field, set map[string]any, live any, path string, depth int) []Field {
	if depth > maxDepth {
		return fields
	}
	for _, step := range slices.Sorted(maps.Keys(set)) {
		if step == "." {
			fields = append(fields, Field{Path: path + "/.", Present: live != nil})
			continue
		}
		value, present := follow(step, live)
		inner, _ := set[step].(map[string]any)
		if len(inner) > 0 {
			fields = collect(fields, inner, value, join(path, step), depth+1)
			continue
		}
		fields = append(fields, Field{Path: join(path, step), Value: value, Present: present})
	}
	return fields
}

// follow takes one step of a field set into a live value.
func follow(step string, live any) (any, bool) {
	kind, rest, _ := strings.Cut(step, ":")
	switch kind {
	case "f":
		m, _ := live.(map[string]any)
		v, ok := m[rest]
		return v, ok
	case "k":
		return byKeys(rest, live)
	case "v":
		return byValue(rest, live)
	case "i":
		return byIndex(rest, live)
	}
	return nil, false
}

func byKeys(text string, live any) (any, bool) {
	var keys map[string]any
	if json.Unmarshal([]byte(text), &keys) != nil {
		return nil, false
	}
	list, _ := live.([]any)
	for _, item := range list {
		if m, ok := item.(map[string]any); ok && hasAll(m, keys) {
			return item, true
		}
	}
	return nil, false
}

func hasAll(m, keys map[string]any) bool {
	for k, want := range keys {
		if !same(m[k], want) {
			return false
		}
	}
	return true
}

func byValue(text string, live any) (any, bool) {
	var want any
	if json.Unmarshal([]byte(text), &want) != nil {
		return nil, false
	}
	list, _ := live.([]any)
	for _, item := range list {
		if same(item, want) {
			return item, true
		}
	}
	return nil, false
}

func byIndex(text string, live any) (any, bool) {
	var i int
	if json.Unmarshal([]byte(text), &i) != nil {
		return nil, false
	}
	list, _ := live.([]any)
	if i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

func join(path, step string) string {
	kind, rest, _ := strings.Cut(step, ":")
	switch {
	case kind == "f" && path == "":
		return rest
	case kind == "f":
		return path + "." + rest
	case kind == "k":
		return path + "[" + keyText(rest) + "]"
	}
	return path + "[" + rest + "]"
}

func keyText(text string) string {
	var keys map[string]any
	if json.Unmarshal([]byte(text), &keys) != nil {
		return text
	}
	parts := make([]string, 0, len(keys))
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		parts = append(parts, fmt.Sprintf("%s=%s", k, canonical(keys[k])))
	}
	return strings.Join(parts, ",")
}

// canonical is the JSON of a value, with sorted keys; what cannot be encoded
// is told apart by its Go form.
func canonical(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v", v)
	}
	return string(data)
}

// same compares two decoded values; numbers are equal if they read equal.
func same(x, y any) bool { return canonical(x) == canonical(y) }
