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

// maxVolatile values of one object: no secret has so many.
const maxVolatile = 1000

// markVolatile compares two renders of the same inputs and lists in the first
// what differs: random values, times, generated certificates. Such values are
// create-only on a cluster, so that an upgrade keeps a password.
func markVolatile(p, again pass) error {
	first, second := p.finished, again.finished
	for i := range first {
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
		if len(first[i].Volatile) > maxVolatile {
			return manifest.NewFault(fileOfKeys(p.objects)[first[i].Key], 0, manifest.LimitExceeded, "%d values of %s differ when the chart is rendered again, at most %d are allowed", len(first[i].Volatile), first[i].Key, maxVolatile)
		}
		slices.Sort(first[i].Volatile)
	}
	return nil
}

// checkNames refuses an object whose name differs between two renders: it could
// never be found again.
func (j job) checkNames(first, second pass) error {
	for _, sides := range [][2]pass{{first, second}, {second, first}} {
		if key, found := unmatched(sides[0].finished, sides[1].finished); found {
			return j.randomName(key, fileOfKeys(sides[0].objects)[key])
		}
	}
	return nil
}

// unmatched is an object that stands elsewhere, or nowhere, in other.
func unmatched(objects, other []content.Object) (content.Key, bool) {
	for i := range objects {
		if i >= len(other) || objects[i].Key != other[i].Key {
			return objects[i].Key, true
		}
	}
	return "", false
}

func (j job) randomName(key content.Key, file string) error {
	line, because := 0, ""
	if calls := j.callers().of(file, "/metadata/name"); len(calls) > 0 {
		file, line, because = calls[0].file, calls[0].line, " by "+calls[0].function
	}
	return manifest.NewFault(file, line, manifest.InvalidObject, "%s has another name, or is absent, when the chart is rendered again: names must not be made%s", key, because)
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
