package bundle

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Key is one key of the options file.
type Key struct {
	// Path such as helm.valuesFrom[].secretKeyRef.name; [] is any entry of a list.
	Path string
	// Type in the words of the reference: text, boolean, number, list of texts ...
	Type string
	// PerTarget says that an entry of targetCustomizations may say it too.
	PerTarget bool
}

// Types of keys; a list is "list of" one of them in the plural.
const (
	keyText     = "text"
	keyBoolean  = "boolean"
	keyNumber   = "number"
	keyPercent  = "number or percent"
	keyDuration = "duration"
	keyAnything = "anything"
	keySelector = "label selector"
	keyBlock    = "block"
)

// Keys returns every key of the options file, blocks and lists themselves
// included, sorted by path. Under targetCustomizations only that is listed which
// the file itself does not have: every key that is PerTarget may stand there.
func Keys() []Key {
	w := newWalker("")
	perTarget := w.fieldsOf(reflect.TypeFor[v1alpha1.BundleOptions]())
	var keys []Key
	for name, t := range w.fieldsOf(reflect.TypeFor[optionsFile]()) {
		_, overridable := perTarget[name]
		for _, k := range keysBelow(w, name, t) {
			k.PerTarget = overridable
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Path, b.Path) })
	return keys
}

// keysBelow lists a key and, for blocks and lists of blocks, what is in it.
func keysBelow(w *walker, at string, t reflect.Type) []Key {
	name, fields := keyType(w, t)
	keys := []Key{{Path: at, Type: name}}
	if isList(t) {
		at += "[]"
	}
	for field, ft := range fields {
		keys = append(keys, keysBelow(w, at+"."+field, ft)...)
	}
	return keys
}

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice && t != typeRawJSON }

// keyType names a type and, where it has keys of its own, lists them.
func keyType(w *walker, t reflect.Type) (string, map[string]reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == typeAnyJSON, t == typeRawJSON:
		return keyAnything, nil
	case t == typeIntOrString:
		return keyPercent, nil
	case t == typeDuration:
		return keyDuration, nil
	case t == reflect.TypeFor[metav1.LabelSelector]():
		return keySelector, nil
	case t == reflect.TypeFor[v1alpha1.Customization]():
		return keyBlock, customizationOnly(w, t)
	case t.Kind() == reflect.Struct:
		return keyBlock, w.fieldsOf(t)
	case t.Kind() == reflect.Slice:
		name, fields := keyType(w, t.Elem())
		return "list of " + plural(name), fields
	case t.Kind() == reflect.Map:
		name, _ := keyType(w, t.Elem())
		return "map of " + plural(name), nil
	case t.Kind() == reflect.String:
		return keyText, nil
	case t.Kind() == reflect.Bool:
		return keyBoolean, nil
	}
	return keyNumber, nil
}

// customizationOnly leaves out the options that a customization shares with the file.
func customizationOnly(w *walker, t reflect.Type) map[string]reflect.Type {
	shared, own := w.fieldsOf(reflect.TypeFor[v1alpha1.BundleOptions]()), map[string]reflect.Type{}
	for name, ft := range w.fieldsOf(t) {
		if _, is := shared[name]; !is {
			own[name] = ft
		}
	}
	return own
}

func plural(name string) string {
	if name == keyAnything {
		return name
	}
	for _, prefix := range []string{"map of ", "list of "} {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			return prefix[:len(prefix)-4] + "s of " + name[len(prefix):]
		}
	}
	return name + "s"
}
