package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds a YAML document after its aliases are written out; 64 bytes of
// text count as one more node. A file of a few hundred bytes can mean billions of
// nodes otherwise, or one long text a million times.
const maxNodes = 200_000

// maxDensity bounds what separates nodes in a file that is parsed here. A node
// takes some 300 bytes once parsed, so that a file of a megabyte could take a
// hundred; this process is the manager and has to stay small.
const maxDensity = 130_000

// tooDense counts without parsing; every node but the first has a separator before it.
func tooDense(data []byte) bool {
	if len(data) <= maxDensity {
		return false
	}
	n := 0
	for _, c := range data {
		switch c {
		case '\n', ',', ':', '[', '{', '-', '?':
			n++
		}
	}
	return n > maxDensity
}

// parseOne parses a file that must hold one document or none.
func parseOne(file string, data []byte) (*yaml.Node, *Problem) {
	if tooDense(data) {
		p := errorAt(Position{File: file, Line: 1, Column: 1}, CodeTooLarge, fmt.Sprintf("holds more than %d keys and items, or as many commas and colons", maxDensity))
		return nil, &p
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var first *yaml.Node
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return first, nil
		}
		if err != nil {
			p := yamlProblem(file, err)
			return nil, &p
		}
		if p := checkBudget(file, &doc); p != nil {
			return nil, p
		}
		if first == nil {
			first = &doc
		} else if kindOf(doc.Content[0]) != kindNull {
			p := errorAt(Position{File: file, Line: doc.Line, Column: 1}, CodeInvalidYAML, "holds more than one document")
			return nil, &p
		}
	}
}

var (
	yamlLine    = regexp.MustCompile(`line (\d+): ?`)
	parserError = regexp.MustCompile(`^(did not find expected|found undefined tag handle|found duplicate %)`)
)

// yamlProblem takes the line out of the parser's message.
func yamlProblem(file string, err error) Problem {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	pos := Position{File: file, Line: 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		if line, convErr := strconv.Atoi(m[1]); convErr == nil {
			pos.Line = line
		}
		message = strings.Replace(message, m[0], "", 1)
		if parserError.MatchString(message) {
			pos.Line++ // the library counts these from 0 and the others from 1
		}
	}
	return errorAt(pos, CodeInvalidYAML, "is not valid YAML: "+message)
}

// checkBudget refuses a document that grows beyond maxNodes or is nested too deep.
func checkBudget(file string, doc *yaml.Node) *Problem {
	left := maxNodes
	if over := spend(doc, &left, 0); over != nil {
		p := errorAt(Position{File: file, Line: over.Line, Column: over.Column}, CodeTooLarge,
			fmt.Sprintf("holds more than %d nodes or is nested more than 200 deep once aliases are written out", maxNodes))
		return &p
	}
	return nil
}

func spend(n *yaml.Node, left *int, depth int) *yaml.Node {
	*left -= 1 + len(n.Value)/64
	if *left < 0 || depth > 200 {
		return n
	}
	if n.Kind == yaml.AliasNode {
		return spend(n.Alias, left, depth+1)
	}
	for _, c := range n.Content {
		if over := spend(c, left, depth+1); over != nil {
			return over
		}
	}
	return nil
}

// valueKind is what a YAML node is to a reader of YAML 1.1, which Fleet and Helm are.
type valueKind string

const (
	kindNull   valueKind = "null"
	kindString valueKind = "a text"
	kindBool   valueKind = "a boolean"
	kindInt    valueKind = "a whole number"
	kindFloat  valueKind = "a number"
	kindMap    valueKind = "a map"
	kindList   valueKind = "a list"
)

var yaml11Bools = regexp.MustCompile(`^(y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$`)

func kindOf(n *yaml.Node) valueKind {
	switch n.Kind {
	case yaml.AliasNode:
		return kindOf(n.Alias)
	case yaml.MappingNode:
		return kindMap
	case yaml.SequenceNode:
		return kindList
	}
	plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	switch n.ShortTag() {
	case "!!null":
		return kindNull
	case "!!bool":
		return kindBool
	case "!!int":
		return kindInt
	case "!!float":
		return kindFloat
	case "!!str":
		if plain && n.Style&yaml.TaggedStyle == 0 && yaml11Bools.MatchString(n.Value) {
			return kindBool
		}
	}
	return kindString
}
