package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"go.yaml.in/yaml/v3"
)

// walker compares a YAML document with a Go type, notes where every key stands
// and reports keys and kinds that do not fit.
type walker struct {
	file     string
	where    map[string]Position
	problems []Problem
	fields   map[reflect.Type]map[string]reflect.Type
}

func newWalker(file string) *walker {
	return &walker{file: file, where: map[string]Position{}, fields: map[reflect.Type]map[string]reflect.Type{}}
}

func (w *walker) walkRoot(doc *yaml.Node, into any) {
	if doc.Kind == yaml.DocumentNode {
		doc = doc.Content[0]
	}
	w.walk(doc, reflect.TypeOf(into).Elem(), "")
}

func (w *walker) pos(n *yaml.Node) Position {
	return Position{File: w.file, Line: n.Line, Column: n.Column}
}

func (w *walker) report(n *yaml.Node, code, format string, args ...any) {
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, errorAt(w.pos(n), code, fmt.Sprintf(format, args...)))
	}
}

var (
	typeAnyJSON     = reflect.TypeFor[apiextensionsv1.JSON]()
	typeRawJSON     = reflect.TypeFor[json.RawMessage]()
	typeIntOrString = reflect.TypeFor[intstr.IntOrString]()
	typeDuration    = reflect.TypeFor[metav1.Duration]()
)

func (w *walker) walk(n *yaml.Node, t reflect.Type, key string) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if kindOf(n) == kindNull {
		return
	}
	switch {
	case t == typeAnyJSON:
		w.walkValues(n, key)
	case t == typeRawJSON:
	case t == typeIntOrString:
		w.want(n, key, "a number or a text", kindInt, kindString)
	case t == typeDuration:
		w.walkDuration(n, key)
	case t.Kind() == reflect.Struct:
		w.walkStruct(n, t, key)
	case t.Kind() == reflect.Map:
		w.walkMap(n, t.Elem(), key)
	case t.Kind() == reflect.Slice:
		w.walkList(n, t.Elem(), key)
	default:
		w.walkScalar(n, t.Kind(), key)
	}
}

func (w *walker) walkScalar(n *yaml.Node, k reflect.Kind, key string) {
	switch k {
	case reflect.String:
		w.want(n, key, "a text (put it in quotes)", kindString)
		if max, ok := bound(maxText, key); ok && len(n.Value) > max {
			w.report(n, CodeTooLarge, "%s is longer than %d bytes", key, max)
		}
	case reflect.Bool:
		w.want(n, key, "true or false", kindBool)
	case reflect.Int, reflect.Int64, reflect.Int32:
		w.want(n, key, "a number", kindInt)
	default:
		w.report(n, CodeWrongType, "%s cannot be read (%s)", key, k)
	}
}

// walkDuration wants what Go reads: Fleet's 1d and 1w are refused by its API as well.
func (w *walker) walkDuration(n *yaml.Node, key string) {
	w.want(n, key, "a duration such as 5m", kindString)
	if d, err := time.ParseDuration(n.Value); kindOf(n) == kindString && (err != nil || d < 0) {
		w.report(n, CodeInvalidValue, "%s: %.80q must be a valid Go duration such as 15s, 5m or 1h30m", key, n.Value)
	}
}

// count reports a list or map with more entries than a Bundle may have.
func (w *walker) count(n *yaml.Node, entries int, key string) {
	if max, ok := bound(maxEntries, key); ok && entries > max {
		w.report(n, CodeTooLarge, "%s has %d entries, at most %d are read", key, entries, max)
	}
}

func (w *walker) want(n *yaml.Node, key, what string, kinds ...valueKind) {
	if got := kindOf(n); !slices.Contains(kinds, got) {
		w.report(n, CodeWrongType, "%s is %s, wanted %s", key, got, what)
	}
}

// pairs yields the keys and values of a mapping, merge keys (<<) laid open, and reports duplicates.
func (w *walker) pairs(n *yaml.Node, key string, yield func(k, v *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Tag == "!!merge" {
			w.merged(v, key, yield)
			continue
		}
		if k.Kind != yaml.ScalarNode {
			w.report(k, CodeWrongType, "%s has a key that is no text", orRoot(key))
			continue
		}
		if seen[k.Value] {
			w.report(k, CodeDuplicateKey, "%s is there twice", join(key, k.Value))
			continue
		}
		seen[k.Value] = true
		yield(k, v)
	}
}

func (w *walker) merged(v *yaml.Node, key string, yield func(k, v *yaml.Node)) {
	if v.Kind == yaml.AliasNode {
		v = v.Alias
	}
	switch v.Kind {
	case yaml.MappingNode:
		w.pairs(v, key, yield)
	case yaml.SequenceNode:
		for _, each := range v.Content {
			w.merged(each, key, yield)
		}
	}
}

func (w *walker) walkStruct(n *yaml.Node, t reflect.Type, key string) {
	if n.Kind != yaml.MappingNode {
		w.report(n, CodeWrongType, "%s is %s, wanted a map", orRoot(key), kindOf(n))
		return
	}
	fields := w.fieldsOf(t)
	w.pairs(n, key, func(k, v *yaml.Node) {
		ft, known := fields[k.Value]
		if !known {
			w.unknown(k, key, fields)
			return
		}
		child := join(key, k.Value)
		if _, merged := w.where[child]; !merged {
			w.where[child] = w.pos(k)
		}
		w.walk(v, ft, child)
	})
}

// inEntry matches what is said of one target.
var inEntry = regexp.MustCompile(`^(targetCustomizations|targets|overrideTargets)\[[0-9]+\]$`)

// ofTheWhole tells whether a key is one of the options file that no target has of its own.
func ofTheWhole(w *walker, name string) bool {
	_, isTop := w.fieldsOf(reflect.TypeFor[optionsFile]())[name]
	_, perTarget := w.fieldsOf(reflect.TypeFor[v1alpha1.BundleOptions]())[name]
	return isTop && !perTarget
}

func (w *walker) unknown(k *yaml.Node, key string, fields map[string]reflect.Type) {
	before := len(w.problems)
	if w.report(k, CodeUnknownKey, "unknown key %.80q in %s", k.Value, orRoot(key)); len(w.problems) == before {
		return // there are too many already
	}
	if inEntry.MatchString(key) && ofTheWhole(w, k.Value) {
		w.problems[before].Suggestion = k.Value + " belongs at the top of the file: it is of the bundle as a whole"
		return
	}
	if s := nearest(k.Value, slices.Sorted(maps.Keys(fields))); s != "" {
		w.problems[before].Suggestion = "did you mean " + s + "?"
	}
}

func (w *walker) walkMap(n *yaml.Node, elem reflect.Type, key string) {
	if n.Kind != yaml.MappingNode {
		w.report(n, CodeWrongType, "%s is %s, wanted a map", key, kindOf(n))
		return
	}
	w.count(n, len(n.Content)/2, key)
	w.pairs(n, key, func(k, v *yaml.Node) {
		child := join(key, k.Value)
		w.where[child] = w.pos(k)
		w.walk(v, elem, child)
	})
}

func (w *walker) walkList(n *yaml.Node, elem reflect.Type, key string) {
	if n.Kind != yaml.SequenceNode {
		w.report(n, CodeWrongType, "%s is %s, wanted a list", key, kindOf(n))
		return
	}
	w.count(n, len(n.Content), key)
	for i, each := range n.Content {
		child := key + "[" + strconv.Itoa(i) + "]"
		w.where[child] = w.pos(each)
		w.walk(each, elem, child)
	}
}

// walkValues looks for duplicate keys in free-form values; any type is right
// there. What an alias means has been looked at where it stands.
func (w *walker) walkValues(n *yaml.Node, key string) {
	if n.Kind == yaml.MappingNode {
		w.pairs(n, key, func(_, v *yaml.Node) { w.walkValues(v, key) })
	}
	if n.Kind == yaml.SequenceNode {
		for _, each := range n.Content {
			w.walkValues(each, key)
		}
	}
}

// fieldsOf maps the keys of a struct, inlined ones included, to their types.
func (w *walker) fieldsOf(t reflect.Type) map[string]reflect.Type {
	if fields, ok := w.fields[t]; ok {
		return fields
	}
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			for k, v := range w.fieldsOf(f.Type) {
				fields[k] = v
			}
			continue
		}
		if name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	w.fields[t] = fields
	return fields
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func orRoot(key string) string {
	if key == "" {
		return "the file"
	}
	return key
}
