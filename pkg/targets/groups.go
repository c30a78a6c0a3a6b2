package targets

import (
	"fmt"
	"slices"
	"strings"
)

// Groups are the ClusterGroups of all workspaces, compiled. They are values:
// build new ones when a ClusterGroup changes.
type Groups struct {
	byWorkspace map[string][]group // sorted by name
	byName      map[place]*group   // into byWorkspace
}

type group struct {
	name     string
	labels   map[string]string
	selector *selector // nil selects nothing
	err      error
}

// NewGroups compiles groups. One whose selector has no meaning turns the rows
// that ask for it into errors, not the others.
func NewGroups(gs []Group) *Groups {
	out := &Groups{byWorkspace: map[string][]group{}, byName: map[place]*group{}}
	for _, g := range gs {
		out.byWorkspace[g.Workspace] = append(out.byWorkspace[g.Workspace], compileGroup(g))
	}
	for workspace, list := range out.byWorkspace {
		slices.SortFunc(list, func(a, b group) int { return strings.Compare(a.name, b.name) })
		for i := range list {
			out.byName[place{workspace, list[i].name}] = &list[i]
		}
	}
	return out
}

func compileGroup(g Group) group {
	c := group{name: g.Name, labels: g.Labels}
	if g.Selector == nil || g.Selector.Selector == nil {
		return c
	}
	if c.selector, c.err = compileSelector(g.Selector.Selector); c.err != nil {
		c.err = fmt.Errorf("cluster group %s/%s: selector: %w", g.Workspace, g.Name, c.err)
	}
	return c
}

// Has tells whether a workspace has a group of that name.
func (g *Groups) Has(workspace, name string) bool { return g.find(workspace, name) != nil }

// Of returns the names of the groups a cluster belongs to, sorted.
func (g *Groups) Of(cl Cluster) []string {
	var names []string
	for _, each := range g.in(cl.Workspace) {
		if each.holds(&cl) {
			names = append(names, each.name)
		}
	}
	return names
}

func (g *Groups) in(workspace string) []group {
	if g == nil {
		return nil
	}
	return g.byWorkspace[workspace]
}

func (g *Groups) find(workspace, name string) *group {
	if g == nil {
		return nil
	}
	return g.byName[place{workspace, name}]
}

func (g *group) holds(cl *Cluster) bool {
	return g.selector != nil && g.selector.selects(cl.Labels)
}
