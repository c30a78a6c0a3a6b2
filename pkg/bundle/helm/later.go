package helm

import (
	"fmt"
	"slices"
	"strings"
	texttemplate "text/template"
	"text/template/parse"
	"time"

	"github.com/Masterminds/sprig/v3"
	"helm.sh/helm/v3/pkg/chart"
)

// What prints another value each time is found by rendering twice. A time that is
// printed coarsely, a day or a year, would be the same in both renders and another
// one tomorrow; so the second may be rendered as if later, with every part of its
// time another.

// laterTime is what the second render takes for now.
func laterTime() time.Time {
	now, ok := sprig.TxtFuncMap()["now"].(func() time.Time)
	if !ok {
		return time.Time{} // a library without now has no templates that call it
	}
	return now().AddDate(1, 1, 1).Add(time.Hour + time.Minute + time.Second)
}

// postpone rewrites the calls of now and ago in every template of a chart.
func postpone(c *chart.Chart) {
	now := fmt.Sprintf("(toDate %q %q)", time.RFC3339, laterTime().UTC().Format(time.RFC3339))
	for _, f := range c.Templates {
		f.Data = []byte(postponed(string(f.Data), map[string]string{"now": now, "ago": `cat "later"`}))
	}
	for _, d := range c.Dependencies() {
		postpone(d)
	}
}

// postponed replaces calls of functions in a template, and nothing else: not in
// texts, strings or names of fields.
func postponed(text string, by map[string]string) string {
	calls := callsOf(text, by)
	var out strings.Builder
	done := 0
	for _, c := range calls {
		out.WriteString(text[done:c.at])
		out.WriteString(by[c.name])
		done = c.at + len(c.name)
	}
	out.WriteString(text[done:])
	return out.String()
}

// called is a place where a template calls a function.
type called struct {
	at   int
	name string
}

// callsOf lists the calls of some functions in a text, in order. A text that does not parse has none: it will not render either.
func callsOf(text string, names map[string]string) []called {
	mentions := false
	for name := range names {
		mentions = mentions || strings.Contains(text, name)
	}
	if !mentions {
		return nil
	}
	trees := map[string]*parse.Tree{}
	main := parse.New("template")
	main.Mode = parse.SkipFuncCheck
	if _, err := main.Parse(text, "", "", trees); err != nil {
		return nil
	}
	s := search{names: names}
	s.list(main.Root)
	for _, tree := range trees {
		if tree != main {
			s.list(tree.Root)
		}
	}
	slices.SortFunc(s.found, func(a, b called) int { return a.at - b.at })
	return slices.Compact(s.found)
}

// search walks a tree for calls.
type search struct {
	names map[string]string
	found []called
}

func (s *search) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		s.node(n)
	}
}

func (s *search) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		s.list(n)
	case *parse.ActionNode:
		s.pipe(n.Pipe)
	case *parse.IfNode:
		s.branch(&n.BranchNode)
	case *parse.WithNode:
		s.branch(&n.BranchNode)
	case *parse.RangeNode:
		s.branch(&n.BranchNode)
	case *parse.TemplateNode:
		s.pipe(n.Pipe)
	case *parse.PipeNode:
		s.pipe(n)
	case *parse.ChainNode:
		s.node(n.Node)
	case *parse.IdentifierNode:
		if _, ok := s.names[n.Ident]; ok {
			s.found = append(s.found, called{int(n.Pos), n.Ident})
		}
	}
}

func (s *search) branch(n *parse.BranchNode) {
	s.pipe(n.Pipe)
	s.list(n.List)
	s.list(n.ElseList)
}

func (s *search) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, command := range p.Cmds {
		for _, arg := range command.Args {
			s.node(arg)
		}
	}
}

// postponeFunctions does for templates in values what postpone does for a chart's.
func postponeFunctions(f texttemplate.FuncMap) {
	later := laterTime()
	f["now"] = func() time.Time { return later }
	f["ago"] = func(any) string { return "later" }
}
