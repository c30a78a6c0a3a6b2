package renderer

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// maxVolatile values of one object: no secret has so many.
const maxVolatile = 1000

// markVolatile compares two renders of the same inputs and lists in the first
// what differs: random values, times, generated certificates. Such values are
// create-only on a cluster, so that an upgrade keeps a password.
func (j job) markVolatile(p, again pass) error {
	first, second, files := p.finished, again.finished, fileOfKeys(p.objects)
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
		file := files[first[i].Key]
		if len(first[i].Volatile) > maxVolatile {
			return manifest.NewFault(file, 0, manifest.LimitExceeded, "more than %d values of %s differ when the chart is rendered again", maxVolatile, first[i].Key)
		}
		slices.Sort(first[i].Volatile)
		for _, pointer := range first[i].Volatile {
			if !keepable(pointer) {
				return j.unkeepable(first[i].Key, file, pointer)
			}
		}
	}
	return nil
}

// differing collects JSON pointers (RFC 6901) to what differs, as deep as both
// sides have the same shape.
func differing(at string, a, b any, found []string) []string {
	if reflect.DeepEqual(a, b) {
		return found
	}
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok && (sameKeys(x, y) || entered(at, x, y)) {
			for key := range union(x, y) {
				found = differing(at+"/"+pointerToken(key), orNothing(at, key, x), orNothing(at, key, y), found)
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

// entered tells whether two mappings are compared key by key though one has
// more of them. Elsewhere a mapping can be kept as a whole, but these hold what
// is not the chart's to keep. Where each has keys that the other lacks, keys are
// made anew at every render, and what they say never was on a cluster.
func entered(at string, a, b map[string]any) bool {
	return !keepable(at) && (holds(a, b) || holds(b, a))
}

// holds tells whether a has all keys of b.
func holds(a, b map[string]any) bool {
	for key := range b {
		if _, ok := a[key]; !ok {
			return false
		}
	}
	return true
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// orNothing is a field's value; labels that are not there are as good as none.
func orNothing(at, key string, m map[string]any) any {
	if value, ok := m[key]; ok || at != "/metadata" || key != "labels" && key != "annotations" {
		return value
	}
	return map[string]any{}
}

// keepable tells whether the agent can leave what lives at a pointer as it is:
// not what names an object, nor what others write into as well.
func keepable(pointer string) bool {
	path := strings.Split(pointer, "/")
	switch {
	case len(path) < 2 || path[1] == "apiVersion" || path[1] == "kind":
		return false
	case path[1] == "metadata":
		return len(path) == 4 && (path[2] == "labels" || path[2] == "annotations")
	}
	return true
}

func sameKeys(a, b map[string]any) bool { return len(a) == len(b) && holds(a, b) }

func pointerToken(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
