package kustomize

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// maxComplaints about one kustomization.
const maxComplaints = 10

// checkFields complains of all fields that kustomize does not know, or wants
// otherwise; it would name one, without a line.
func checkFields(file string, top *yaml.Node) error {
	if top == nil {
		return nil
	}
	c := complaints{}
	c.value("", top, reflect.TypeFor[types.Kustomization](), 0)
	if len(c.said) == 0 {
		return nil
	}
	return manifest.NewFault(file, c.first, manifest.RenderFailed, "invalid kustomization: %s", strings.Join(c.said, "; "))
}

// complaints are gathered in the order of the text.
type complaints struct {
	first int
	said  []string
}

// add names the line of all but the first, whose line is that of the fault.
func (c *complaints) add(line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch {
	case len(c.said) == 0:
		c.first = line
	case len(c.said) == maxComplaints:
		text = "and more"
	case len(c.said) > maxComplaints:
		return
	default:
		text = fmt.Sprintf("line %d: %s", line, text)
	}
	c.said = append(c.said, text)
}

var decodesItself = reflect.TypeFor[json.Unmarshaler]()

// value compares what stands at a place with the type kustomize reads it into.
func (c *complaints) value(at string, n *yaml.Node, t reflect.Type, deep int) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.ShortTag() == "!!null" || deep > maxDeep || reflect.PointerTo(t).Implements(decodesItself) {
		return
	}
	switch want := wanted(t); {
	case want != 0 && want != n.Kind:
		c.add(n.Line, "%s is not %s", or(at, "it"), described[want])
	case t.Kind() == reflect.Slice:
		for i, item := range n.Content {
			c.value(fmt.Sprintf("%s[%d]", at, i), item, t.Elem(), deep+1)
		}
	case t.Kind() == reflect.Struct:
		c.fields(at, n, t, deep)
	case t.Kind() == reflect.String && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float" || n.ShortTag() == "!!bool"):
		c.add(n.Line, "%s is not a string; put it in quotes", at)
	}
}

// wanted is the kind of node that a type is read from; 0 = any.
func wanted(t reflect.Type) yaml.Kind {
	switch t.Kind() {
	case reflect.Slice:
		return yaml.SequenceNode
	case reflect.Struct, reflect.Map:
		return yaml.MappingNode
	case reflect.String:
		return yaml.ScalarNode
	}
	return 0
}

var described = map[yaml.Kind]string{yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping", yaml.ScalarNode: "a string"}

func (c *complaints) fields(at string, n *yaml.Node, t reflect.Type, deep int) {
	known := fieldsOf(t)
	for _, p := range pairs(n) {
		if p.key.ShortTag() == "!!merge" {
			c.value(at, p.value, t, deep+1)
			continue
		}
		name := strings.TrimPrefix(at+"."+p.key.Value, ".")
		field, ok := known[strings.ToLower(p.key.Value)]
		if !ok {
			c.add(p.key.Line, "unknown field %.200q", name)
			continue
		}
		c.value(name, p.value, field, deep+1)
	}
}

// fieldsOf are the fields of a struct as encoding/json finds them, which does
// not mind case.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			for key, field := range fieldsOf(inner) {
				known[key] = field
			}
		case f.IsExported() && name != "-":
			known[strings.ToLower(or(name, f.Name))] = f.Type
		}
	}
	return known
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
