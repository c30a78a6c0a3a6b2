package renderer

import (
	"maps"
	"slices"
	"strings"
	"text/template/parse"

	"github.com/muster-dev/muster/pkg/bundle/helm"
)

// restless are the functions of charts that give something else each time.
var restless = []string{
	"ago", "bcrypt", "buildCustomCert", "durationRound", "encryptAES",
	"genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
	"htpasswd", "now", "randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt", "randNumeric", "shuffle", "uuidv4",
}

// call is a place where a template calls a restless function.
type call struct {
	file     string
	line     int
	function string
}

// text is one template or partial: what it calls itself, and what it includes.
type text struct {
	calls    []call
	includes []include
	// executes are calls of tpl, behind which there may be anything.
	executes []call
}

// include names a partial, or the end of another template's path.
type include struct {
	line int
	name string
}

// callers knows the templates of a chart by what they call.
type callers struct {
	byFile map[string]*text
	// lines of each file.
	lines map[string][]string
	// partials by the name they are defined under.
	partials map[string]*text
	// values are calls in "${ }" in the values that the chart is given.
	values []call
}

func newCallers(sources []helm.Source, values []call) *callers {
	c := &callers{byFile: map[string]*text{}, lines: map[string][]string{}, partials: map[string]*text{}, values: values}
	for _, s := range sources {
		c.add(s)
	}
	return c
}

func (c *callers) add(s helm.Source) {
	trees := map[string]*parse.Tree{}
	main := parse.New(s.File)
	main.Mode = parse.SkipFuncCheck
	if _, err := main.Parse(s.Text, "", "", trees); err != nil {
		return // it would not render either
	}
	c.lines[s.File] = strings.Split(s.Text, "\n")
	c.byFile[s.File] = textOf(s, main)
	for name, tree := range trees {
		if tree != main {
			c.partials[name] = textOf(s, tree)
		}
	}
}

func textOf(s helm.Source, tree *parse.Tree) *text {
	r := reading{source: s, text: &text{}}
	if tree.Root != nil {
		r.nodes(tree.Root)
	}
	return r.text
}

// reading walks one tree.
type reading struct {
	source helm.Source
	text   *text
}

func (r reading) line(n parse.Node) int {
	return 1 + strings.Count(r.source.Text[:min(int(n.Position()), len(r.source.Text))], "\n")
}

func (r reading) nodes(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, item := range n.Nodes {
			r.nodes(item)
		}
	case *parse.ActionNode:
		r.nodes(n.Pipe)
	case *parse.IfNode:
		r.branch(&n.BranchNode)
	case *parse.WithNode:
		r.branch(&n.BranchNode)
	case *parse.RangeNode:
		r.branch(&n.BranchNode)
	case *parse.TemplateNode:
		r.text.includes = append(r.text.includes, include{r.line(n), n.Name})
		r.nodes(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, command := range n.Cmds {
			for _, arg := range command.Args {
				r.nodes(arg)
			}
		}
	case *parse.ChainNode:
		r.nodes(n.Node)
	case *parse.StringNode:
		// The name of a partial stands in an include, or ends a template's path in one.
		r.text.includes = append(r.text.includes, include{r.line(n), n.Text})
	case *parse.IdentifierNode:
		at := call{r.source.File, r.line(n), n.Ident}
		if slices.Contains(restless, n.Ident) {
			r.text.calls = append(r.text.calls, at)
		} else if n.Ident == "tpl" {
			r.text.executes = append(r.text.executes, at)
		}
	}
}

func (r reading) branch(n *parse.BranchNode) {
	r.nodes(n.Pipe)
	r.nodes(n.List)
	r.nodes(n.ElseList)
}

// reached are the calls of a template on certain lines, and those of what is
// included there; nil lines are all.
func (c *callers) reached(t *text, lines []int, seen map[*text]bool) []call {
	if t == nil || seen[t] {
		return nil
	}
	seen[t] = true
	var found []call
	for _, k := range t.calls {
		if lines == nil || slices.Contains(lines, k.line) {
			found = append(found, k)
		}
	}
	for _, i := range t.includes {
		if lines == nil || slices.Contains(lines, i.line) {
			found = append(found, c.reached(c.named(i.name), nil, seen)...)
		}
	}
	return found
}

// named finds what an include means: a partial, or a template by the end of its path.
func (c *callers) named(name string) *text {
	if t, ok := c.partials[name]; ok {
		return t
	}
	if !strings.HasPrefix(name, "/") || !strings.Contains(name, ".") {
		return nil
	}
	for _, file := range slices.Sorted(maps.Keys(c.byFile)) {
		if strings.HasSuffix(file, "templates"+name) {
			return c.byFile[file]
		}
	}
	return nil
}
