package kustomize

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is the text of a file as its author wrote it, parsed for its lines.
// It is nil for what does not parse, which is reported elsewhere.
func document(text []byte) *yaml.Node {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil || len(node.Content) == 0 {
		return nil
	}
	return node.Content[0]
}

// lineOf is where a field names an entry, or where the field stands; 0 if that is not known.
func lineOf(top *yaml.Node, field, entry string) int {
	if top == nil {
		return 0
	}
	field, _, _ = strings.Cut(field, ".")
	best := 0
	for _, p := range pairs(top) {
		if !strings.EqualFold(p.key.Value, field) {
			continue
		}
		if line := lineOfEntry(p.value, entry, 0); line != 0 {
			return line
		}
		best = p.key.Line
	}
	if best == 0 && entry != "" {
		return lineOfEntry(top, entry, 0)
	}
	return best
}

// maxDeep bounds how far aliases are followed for a line.
const maxDeep = 32

// lineOfEntry finds a text, or one that ends in =text.
func lineOfEntry(n *yaml.Node, entry string, deep int) int {
	if entry == "" || deep > maxDeep {
		return 0
	}
	if n.Kind == yaml.ScalarNode && (n.Value == entry || strings.HasSuffix(n.Value, "="+entry)) {
		return n.Line
	}
	for _, child := range n.Content {
		if line := lineOfEntry(child, entry, deep+1); line != 0 {
			return line
		}
	}
	return 0
}

// pair is one field of a mapping.
type pair struct{ key, value *yaml.Node }

func pairs(n *yaml.Node) []pair {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	var list []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		list = append(list, pair{n.Content[i], n.Content[i+1]})
	}
	return list
}
