package renderer

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// markVolatile compares two renders of the same inputs and lists in the first
// what differs: random values, times, generated certificates. Such values are
// create-only on a cluster, so that an upgrade keeps a password. An object whose
// name differs could never be found again and is refused.
func markVolatile(first, second []content.Object) error {
	for i := range first {
		if len(first) != len(second) || first[i].Key != second[i].Key {
			return manifest.NewFault("", 0, manifest.InvalidObject, "%s has another name, or is absent, when the chart is rendered again: names must not be random", first[i].Key)
		}
		if string(first[i].Manifest) == string(second[i].Manifest) {
			continue
		}
		var a, b any
		if err := manifest.DecodeJSON(first[i].Manifest, &a); err != nil {
			return fmt.Errorf("compare renders of %s: %w", first[i].Key, err)
		}
		if err := manifest.DecodeJSON(second[i].Manifest, &b); err != nil {
			return fmt.Errorf("compare renders of %s: %w", first[i].Key, err)
		}
		first[i].Volatile = differing("", a, b, nil)
		slices.Sort(first[i].Volatile)
	}
	return nil
}

// differing collects JSON pointers (RFC 6901) to what differs, as deep as both sides have the same shape.
func differing(at string, a, b any, found []string) []string {
	if reflect.DeepEqual(a, b) {
		return found
	}
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok && sameKeys(x, y) {
			for key := range x {
				found = differing(at+"/"+pointerToken(key), x[key], y[key], found)
			}
			return found
		}
	case []any:
		if y, ok := b.([]any); ok && len(x) == len(y) {
			for i := range x {
				found = differing(at+"/"+strconv.Itoa(i), x[i], y[i], found)
			}
			return found
		}
	}
	return append(found, at)
}

func sameKeys(a, b map[string]any) bool {
	for key := range a {
		if _, ok := b[key]; !ok {
			return false
		}
	}
	return len(a) == len(b)
}

func pointerToken(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// Identity is the digest of an item with volatile values blanked: it says
// whether anything changed that somebody wrote. It equals the id when nothing
// is volatile.
func Identity(item content.Item) (content.ID, error) {
	blanked := item
	blanked.Objects = slices.Clone(item.Objects)
	for i, o := range blanked.Objects {
		if len(o.Volatile) == 0 {
			continue
		}
		data, err := blank(o)
		if err != nil {
			return "", fmt.Errorf("identity of bundle %s: %s: %w", item.Bundle, o.Key, err)
		}
		blanked.Objects[i].Manifest = data
	}
	_, id, err := blanked.Encode()
	return id, err
}

func blank(o content.Object) (json.RawMessage, error) {
	var body any
	if err := manifest.DecodeJSON(o.Manifest, &body); err != nil {
		return nil, err
	}
	for _, pointer := range o.Volatile {
		body = without(body, strings.Split(strings.TrimPrefix(pointer, "/"), "/"))
	}
	return json.Marshal(body)
}

// without returns v with null at the end of a path.
func without(v any, path []string) any {
	if len(path) == 0 {
		return nil
	}
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	switch v := v.(type) {
	case map[string]any:
		v[key] = without(v[key], path[1:])
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v) {
			v[i] = without(v[i], path[1:])
		}
	}
	return v
}
