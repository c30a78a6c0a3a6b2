package manifest

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxExpanded is how many nodes a document may have once its aliases are
// followed. 403 bytes of nested aliases exhaust 8 GB in parsers that copy them
// (kustomize does); a hundred thousand is far above any real manifest.
const maxExpanded = 100_000

// CheckAliases refuses a file whose aliases multiply beyond the budget, or
// contain themselves. It costs nothing for files without aliases, and does not
// judge whether the text is YAML otherwise.
func CheckAliases(file string, data []byte) error {
	if bytes.IndexByte(data, '&') < 0 || bytes.IndexByte(data, '*') < 0 {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return yamlFault(file, 0, err)
		}
		c := counter{sizes: map[*yaml.Node]int{}}
		if c.size(&node) > maxExpanded {
			return NewFault(file, node.Line, LimitExceeded, "aliases expand to more than %d values", maxExpanded)
		}
	}
}

// counter measures expanded nodes, each anchor once; sizes saturate.
type counter struct {
	sizes map[*yaml.Node]int
}

// open marks an anchor being measured: meeting it again is a cycle.
const open = -1

func (c *counter) size(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil {
			return 1
		}
		return c.size(n.Alias)
	}
	if n.Anchor != "" {
		switch known, met := c.sizes[n]; {
		case met && known == open:
			return maxExpanded + 1
		case met:
			return known
		}
		c.sizes[n] = open
	}
	total := 1
	for _, child := range n.Content {
		total = min(total+c.size(child), maxExpanded+1)
	}
	if n.Anchor != "" {
		c.sizes[n] = total
	}
	return total
}

// maxNested bounds YAML within YAML: a patch in a transformer in a kustomization.
const maxNested = 4

// CheckNestedAliases is CheckAliases for a file that need not be YAML, with the
// texts inside it: kustomize reads patches that are strings.
func CheckNestedAliases(file string, data []byte) error {
	return checkNested(file, data, 0)
}

func checkNested(file string, data []byte, depth int) error {
	if depth == maxNested || bytes.IndexByte(data, '&') < 0 || bytes.IndexByte(data, '*') < 0 || bytes.IndexByte(data, 0) >= 0 {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var node yaml.Node
		if decoder.Decode(&node) != nil {
			return nil // the end, or no YAML: then nothing will follow its aliases
		}
		c := counter{sizes: map[*yaml.Node]int{}}
		if c.size(&node) > maxExpanded {
			return NewFault(file, max(node.Line, 1), LimitExceeded, "aliases expand to more than %d values", maxExpanded)
		}
		if err := checkTexts(file, &node, depth); err != nil {
			return err
		}
	}
}

func checkTexts(file string, n *yaml.Node, depth int) error {
	if n.Kind == yaml.ScalarNode {
		return checkNested(file, []byte(n.Value), depth+1)
	}
	for _, child := range n.Content {
		if err := checkTexts(file, child, depth); err != nil {
			return err
		}
	}
	return nil
}
