package volatile

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Keep writes the live values at the paths into desired, where live has one:
// an apply of desired leaves them as they are, and a comparison finds them
// equal. Desired is in the form in which the API server keeps it.
func Keep(desired, live map[string]any, paths [][]string) {
	for _, path := range paths {
		keep(desired, live, path)
	}
}

func keep(desired, live any, path []string) {
	switch d := desired.(type) {
	case map[string]any:
		l, _ := live.(map[string]any)
		if _, wanted := d[path[0]]; !wanted || l[path[0]] == nil {
			return
		}
		if len(path) == 1 {
			d[path[0]] = l[path[0]]
			return
		}
		keep(d[path[0]], l[path[0]], path[1:])
	case []any:
		l, _ := live.([]any)
		i, ok := index(path[0], len(d))
		if !ok {
			return
		}
		value := counterpart(d, l, i, path[1:])
		switch {
		case value == nil:
		case len(path) == 1:
			d[i] = value
		default:
			keep(d[i], value, path[1:])
		}
	}
}

// names are the fields by which items of lists are known, the API's merge keys.
var names = []string{"name", "key", "containerPort", "port", "mountPath", "devicePath", "ip", "type"}

// counterpart finds the live item for an item of a list: by its name, since
// others add items and the server may order them, else by its place in a list
// of the same length. Nil if there is none.
func counterpart(desired, live []any, i int, rest []string) any {
	if name, ok := nameOf(desired[i], rest); ok {
		return named(live, name, desired[i])
	}
	if len(live) != len(desired) {
		return nil
	}
	return live[i]
}

// nameOf returns the field that names an item and is not itself volatile.
func nameOf(item any, rest []string) (string, bool) {
	m, _ := item.(map[string]any)
	for _, name := range names {
		if m[name] != nil && (len(rest) == 0 || rest[0] != name) {
			return name, true
		}
	}
	return "", false
}

// named returns the only live item that is named as the desired one.
func named(live []any, name string, desired any) any {
	want := fmt.Sprint(desired.(map[string]any)[name])
	var found any
	for _, item := range live {
		m, _ := item.(map[string]any)
		if m[name] == nil || fmt.Sprint(m[name]) != want {
			continue
		}
		if found != nil {
			return nil // two of that name: nobody can tell which
		}
		found = item
	}
	return found
}

// Blank returns a manifest with null for what is volatile: manifests that
// differ in nothing else are equal then.
func Blank(manifest json.RawMessage, pointers []string) (json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(manifest))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("blank volatile values: %w", err)
	}
	for _, p := range pointers {
		if path, ok := parse(p); ok {
			blank(object, path)
		}
	}
	return json.Marshal(object)
}

func blank(v any, path []string) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v[path[0]]; !ok {
			return
		}
		if len(path) == 1 {
			v[path[0]] = nil
			return
		}
		blank(v[path[0]], path[1:])
	case []any:
		i, ok := index(path[0], len(v))
		switch {
		case !ok:
		case len(path) == 1:
			v[i] = nil
		default:
			blank(v[i], path[1:])
		}
	}
}
