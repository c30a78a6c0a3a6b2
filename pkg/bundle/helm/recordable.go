package helm

import (
	"slices"
	"strings"
	"text/template/parse"
)

// The words that a template uses to look at capabilities.
const (
	wordCapabilities = "Capabilities"
	wordVersion      = "KubeVersion"
	wordAPIs         = "APIVersions"
	wordHelm         = "HelmVersion"
)

var (
	versionMembers = []string{"Version", "Major", "Minor", "GitVersion", "String"}
	// passing are functions that hand capabilities on, or print them, and do not look at their type.
	passing = []string{"dict", "set", "list", "tuple", "include", "toYaml", "toJson", "toPrettyJson"}
	// looking are functions that look at the type of everything they are given.
	looking = []string{"toToml", "mustToToml"}
)

// suspicious texts mention capabilities, or functions that see through everything.
func suspicious(text string) bool {
	for _, word := range []string{wordCapabilities, wordVersion, wordAPIs} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return slices.ContainsFunc(looking, func(name string) bool { return strings.Contains(text, name) })
}

// recordable tells whether recording capabilities look to this template as
// Helm's own do. When in doubt they do not: then its chart is rendered for
// each cluster whose capabilities differ, which is only slower.
func recordable(text string) bool {
	if !suspicious(text) {
		return true
	}
	trees := map[string]*parse.Tree{}
	t := parse.New("survey")
	t.Mode = parse.SkipFuncCheck
	if _, err := t.Parse(text, "", "", trees); err != nil {
		return false
	}
	var v visitor
	v.add(t.Root)
	for _, tree := range trees {
		v.add(tree.Root)
	}
	return v.judge()
}

// visitor gathers how a template uses what leads to capabilities.
type visitor struct {
	// doubtful: some use is none of those that are known to be harmless.
	doubtful bool
	// lists are variables that stand for .Capabilities.APIVersions.
	lists map[string]bool
	// variables are all uses of variables.
	variables []*parse.VariableNode
}

// judge says whether all is well, once everything was added.
func (v *visitor) judge() bool {
	for _, use := range v.variables {
		if v.lists[use.Ident[0]] && !slices.Equal(use.Ident[1:], []string{"Has"}) {
			return false
		}
	}
	return !v.doubtful
}

func (v *visitor) add(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, item := range n.Nodes {
			v.add(item)
		}
	case *parse.ActionNode:
		v.pipe(n.Pipe, true)
	case *parse.IfNode:
		v.branch(&n.BranchNode)
	case *parse.WithNode:
		v.branch(&n.BranchNode)
	case *parse.RangeNode:
		v.branch(&n.BranchNode)
	case *parse.TemplateNode:
		v.pipe(n.Pipe, false)
	case *parse.PipeNode:
		v.pipe(n, false)
	}
}

func (v *visitor) branch(n *parse.BranchNode) {
	v.pipe(n.Pipe, false)
	v.add(n.List)
	v.add(n.ElseList)
}

// pipe adds a pipeline; what an action's own gives is printed or assigned.
func (v *visitor) pipe(p *parse.PipeNode, action bool) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		alone := len(p.Cmds) == 1 && len(c.Args) == 1
		for i, arg := range c.Args {
			use := use{alone: alone, printed: alone && action, piped: len(p.Cmds) > 1 && i == 0}
			if alone && action && len(p.Decl) > 0 {
				use.variable = p.Decl[0].Ident[0]
			}
			if name, ok := c.Args[0].(*parse.IdentifierNode); ok && i > 0 {
				use.function = name.Ident
			}
			v.argument(arg, use)
		}
	}
}

// use is where a chain of fields stands.
type use struct {
	// alone in its pipeline: printed by an action, assigned to variable, tested or handed on.
	alone, printed bool
	variable       string
	// function whose argument it is.
	function string
	// piped on into another command.
	piped bool
}

func (v *visitor) argument(n parse.Node, u use) {
	switch n := n.(type) {
	case *parse.FieldNode:
		v.chain(n.Ident, u)
	case *parse.VariableNode:
		v.variables = append(v.variables, n)
		v.chain(n.Ident[1:], u)
		v.root(len(n.Ident) == 1, u)
	case *parse.ChainNode:
		v.parenthesised(n, u)
	case *parse.PipeNode:
		v.inner(n, u)
	case *parse.DotNode:
		v.root(true, u)
	case *parse.StringNode:
		v.quoted(n.Text)
	}
}

// inner is a pipeline in parentheses; with one chain in it the parentheses mean nothing.
func (v *visitor) inner(p *parse.PipeNode, u use) {
	if len(p.Decl) == 0 && len(p.Cmds) == 1 && len(p.Cmds[0].Args) == 1 {
		u.printed = false // it may print as another type does
		v.argument(p.Cmds[0].Args[0], u)
		return
	}
	v.pipe(p, false)
}

// parenthesised is (something).Field.Field.
func (v *visitor) parenthesised(n *parse.ChainNode, u use) {
	if p, ok := n.Node.(*parse.PipeNode); ok && len(p.Cmds) == 1 && len(p.Cmds[0].Args) == 1 {
		switch within := p.Cmds[0].Args[0].(type) {
		case *parse.FieldNode:
			v.chain(slices.Concat(within.Ident, n.Field), u)
			return
		case *parse.VariableNode:
			v.argument(&parse.VariableNode{NodeType: parse.NodeVariable, Ident: slices.Concat(within.Ident, n.Field)}, u)
			return
		}
	}
	v.argument(n.Node, use{alone: true})
	v.chain(n.Field, u)
}

// root may be all that a template sees, given to something.
func (v *visitor) root(all bool, u use) {
	v.doubtful = v.doubtful || all && slices.Contains(looking, u.function)
}

// quoted is a text in a template, which tpl may execute.
func (v *visitor) quoted(text string) {
	switch {
	case !suspicious(text) || text == wordCapabilities:
	case !strings.Contains(text, "{{") || !recordable(text):
		v.doubtful = true
	}
}

// chain judges the words of a chain one after another.
func (v *visitor) chain(words []string, u use) {
	for i, word := range words {
		rest := words[i+1:]
		known := true
		switch {
		case word == wordCapabilities:
			known = v.afterCapabilities(rest, u)
		case word == wordVersion && (i == 0 || words[i-1] != "Chart"):
			known = v.afterVersion(rest, u)
		case word == wordAPIs:
			known = v.afterAPIs(rest, u)
		}
		v.doubtful = v.doubtful || !known
	}
}

func (v *visitor) afterCapabilities(rest []string, u use) bool {
	if len(rest) > 0 {
		return slices.Contains([]string{wordVersion, wordAPIs, wordHelm}, rest[0])
	}
	return !u.piped && (u.alone && !u.printed || u.variable != "" || slices.Contains(passing, u.function))
}

func (v *visitor) afterVersion(rest []string, u use) bool {
	switch len(rest) {
	case 0:
		return u.printed || u.variable != ""
	case 1:
		return slices.Contains(versionMembers, rest[0])
	}
	return false
}

func (v *visitor) afterAPIs(rest []string, u use) bool {
	if len(rest) == 0 && u.variable != "" {
		if v.lists == nil {
			v.lists = map[string]bool{}
		}
		v.lists[u.variable] = true
		return true
	}
	return slices.Equal(rest, []string{"Has"})
}
