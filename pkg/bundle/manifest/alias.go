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
