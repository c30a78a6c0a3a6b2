package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

// volatileWarnings name the template and the function of each value that is
// drawn anew by every render.
func volatileWarnings(b *bundle.Bundle, item content.Item) []v1alpha1.Problem {
	var warnings []v1alpha1.Problem
	for _, object := range item.Objects {
		for _, pointer := range object.Volatile {
			warnings = append(warnings, volatileWarning(b, item, object.Key, pointer))
		}
	}
	return warnings
}

func volatileWarning(b *bundle.Bundle, item content.Item, key content.Key, pointer string) v1alpha1.Problem {
	p := v1alpha1.Problem{Bundle: b.Name, Severity: bundle.Warning, Code: codeVolatile, File: item.Files[key]}
	if origins := originsOf(item, key, pointer); len(origins) > 0 {
		p.File, p.Line = origins[0].File, origins[0].Line
	}
	if p.File != "" {
		p.File = path.Join(b.Path, p.File)
	}
	p.Message = fmt.Sprintf("%s prints something else each time: %s of %s is drawn once per cluster and kept", functionsOf(item, key, pointer), pointer, objectText(key))
	return p
}

// originsOf are the calls that a value comes from: several where it cannot be told which.
func originsOf(item content.Item, key content.Key, pointer string) []content.Origin {
	return slices.DeleteFunc(slices.Clone(item.Origins), func(o content.Origin) bool { return o.Key != key || o.Pointer != pointer })
}

// functionsOf names the functions that a value may come from.
func functionsOf(item content.Item, key content.Key, pointer string) string {
	var names []string
	for _, o := range originsOf(item, key, pointer) {
		names = append(names, o.Function)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "a template"
	}
	return strings.Join(slices.Compact(names), " or ")
}

// objectText is an object in people's words.
func objectText(key content.Key) string {
	_, kind, namespace, name := key.Split()
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

// volatileComments stand above a printed object whose values are not those a
// cluster will have.
func volatileComments(item content.Item, object content.Object) string {
	var lines strings.Builder
	for _, pointer := range object.Volatile {
		fmt.Fprintf(&lines, "# volatile: %s (%s) is drawn once per cluster and kept\n", pointer, functionsOf(item, object.Key, pointer))
	}
	return lines.String()
}

// placeholder stands in print where a cluster has a value of its own: two runs
// print the same, and nobody takes a printed password for the real one.
const placeholder = "VOLATILE"

// maskVolatile puts placeholders of the same type where values are volatile.
func maskVolatile(object content.Object, fields map[string]any) {
	_, kind, _, _ := object.Key.Split()
	for _, pointer := range object.Volatile {
		steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
		secret := kind == "Secret" && steps[0] == "data"
		mask(fields, steps, secret)
	}
}

func mask(at any, steps []string, encoded bool) any {
	if len(steps) == 0 {
		return maskedValue(at, encoded)
	}
	step := strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[0])
	switch v := at.(type) {
	case map[string]any:
		if below, ok := v[step]; ok {
			v[step] = mask(below, steps[1:], encoded)
		}
	case []any:
		var i int
		if _, err := fmt.Sscanf(step, "%d", &i); err == nil && i >= 0 && i < len(v) {
			v[i] = mask(v[i], steps[1:], encoded)
		}
	}
	return at
}

func maskedValue(v any, encoded bool) any {
	switch v.(type) {
	case string:
		if encoded {
			return "Vk9MQVRJTEU=" // the placeholder in base64
		}
		return placeholder
	case map[string]any:
		return map[string]any{}
	case []any:
		return []any{}
	case bool:
		return false
	case nil:
		return nil
	}
	return 0 // a number of whatever type
}
