package cli

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// stream is the text of an inventory, to find lines in.
type stream struct {
	file  string
	data  []byte
	nodes []*yamlv3.Node // of documents, once somebody asks
}

// line is where a field of an object stands, 0 if it cannot be found.
func (s *stream) line(object unstructured.Unstructured, field string) int {
	if s.nodes == nil {
		decoder := yamlv3.NewDecoder(bytes.NewReader(s.data))
		for {
			var document yamlv3.Node
			if err := decoder.Decode(&document); err != nil {
				if !errors.Is(err, io.EOF) {
					s.nodes = append(s.nodes, &yamlv3.Node{}) // do not try again
				}
				break
			}
			s.nodes = append(s.nodes, document.Content...)
		}
	}
	for _, node := range s.nodes {
		if found := nodeOf(node, object); found != nil {
			return lineBelow(found, strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }))
		}
	}
	return 0
}

// nodeOf an object, itself or in a List.
func nodeOf(node *yamlv3.Node, object unstructured.Unstructured) *yamlv3.Node {
	if items := below(node, "items"); items != nil {
		for _, item := range items.Content {
			if found := nodeOf(item, object); found != nil {
				return found
			}
		}
	}
	kind, metadata := below(node, "kind"), below(node, "metadata")
	name, namespace := below(metadata, "name"), below(metadata, "namespace")
	if kind == nil || name == nil || kind.Value != object.GetKind() || name.Value != object.GetName() {
		return nil
	}
	if namespace != nil && namespace.Value != object.GetNamespace() {
		return nil
	}
	return node
}

// below is the value of a key, or of an item by its number.
func below(node *yamlv3.Node, step string) *yamlv3.Node {
	switch {
	case node == nil:
	case node.Kind == yamlv3.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
	case node.Kind == yamlv3.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	}
	return nil
}

// lineBelow is where the value stands that steps lead to, as far as they lead.
func lineBelow(node *yamlv3.Node, steps []string) int {
	for _, step := range steps {
		next := below(node, step)
		if next == nil {
			break
		}
		node = next
	}
	return node.Line
}
