package targets

import (
	"bytes"
	"maps"
	"slices"
)

// Index answers which bundles may decide differently after a cluster or a group
// changed, so that a moved label costs what it touches. One goroutine owns it.
type Index struct {
	bundles map[string]*uses
	// The sets are by workspace; bundles that reach others by a mapping stand
	// under elsewhere too.
	all       sets[string]
	byKey     sets[place]
	byGroup   sets[place]
	anyGroup  sets[string]
	templated sets[string]
}

// place is a label key or the name of a group in a workspace.
type place struct{ workspace, name string }

// sets are sets of bundle ids by key.
type sets[K comparable] map[K]map[string]bool

func (s sets[K]) put(key K, id string, present bool) {
	switch {
	case !present:
		delete(s[key], id)
		if len(s[key]) == 0 {
			delete(s, key)
		}
	case s[key] == nil:
		s[key] = map[string]bool{id: true}
	default:
		s[key][id] = true
	}
}

// elsewhere is no workspace; it stands for those that are not a bundle's own.
const elsewhere = ""

// uses is what a bundle's decisions depend on.
type uses struct {
	reach
	keys      []string
	groups    []string
	anyGroup  bool
	templated bool
}

// NewIndex returns an empty index.
func NewIndex() *Index {
	return &Index{
		bundles: map[string]*uses{}, all: sets[string]{}, byKey: sets[place]{}, byGroup: sets[place]{},
		anyGroup: sets[string]{}, templated: sets[string]{},
	}
}

// Set adds or replaces a bundle under an id of the caller's.
func (ix *Index) Set(id string, c *Compiled) {
	ix.Delete(id)
	ix.bundles[id] = c.uses()
	ix.put(id, ix.bundles[id], true)
}

// Delete forgets a bundle.
func (ix *Index) Delete(id string) {
	if u := ix.bundles[id]; u != nil {
		ix.put(id, u, false)
		delete(ix.bundles, id)
	}
}

func (ix *Index) put(id string, u *uses, present bool) {
	ix.putIn(u.workspace, id, u, present)
	if u.reach.beyond() {
		ix.putIn(elsewhere, id, u, present)
	}
}

func (ix *Index) putIn(workspace, id string, u *uses, present bool) {
	ix.all.put(workspace, id, present)
	for _, k := range u.keys {
		ix.byKey.put(place{workspace, k}, id, present)
	}
	for _, g := range u.groups {
		ix.byGroup.put(place{workspace, g}, id, present)
	}
	if u.anyGroup {
		ix.anyGroup.put(workspace, id, present)
	}
	if u.templated {
		ix.templated.put(workspace, id, present)
	}
}

// InWorkspace returns every bundle of a workspace and those that a mapping may
// bring there, sorted: what a cluster that comes or goes may touch.
func (ix *Index) InWorkspace(workspace string) []string {
	touched := map[string]bool{}
	for _, w := range []string{workspace, elsewhere} {
		maps.Copy(touched, ix.all[w])
	}
	return slices.Sorted(maps.Keys(touched))
}

// WorkspaceChanged returns the bundles of other workspaces, sorted, that enter
// or leave a workspace whose namespace's labels went from before to after.
func (ix *Index) WorkspaceChanged(workspace string, before, after map[string]string) []string {
	touched := map[string]bool{}
	ix.remapped(workspace, before, after, touched)
	return slices.Sorted(maps.Keys(touched))
}

func (ix *Index) remapped(workspace string, before, after map[string]string, touched map[string]bool) {
	if maps.Equal(before, after) {
		return
	}
	for id := range ix.all[elsewhere] {
		r := &ix.bundles[id].reach
		was, wasErr := r.candidate(&Cluster{Workspace: workspace, WorkspaceLabels: before}, nil)
		is, isErr := r.candidate(&Cluster{Workspace: workspace, WorkspaceLabels: after}, nil)
		if was != is || (wasErr == nil) != (isErr == nil) {
			touched[id] = true
		}
	}
}

// ClusterChanged returns the bundles, sorted, whose decision about a cluster may
// differ after its labels, annotations, template values or its workspace's
// labels went from before to after. Groups are those of now; workspace and name
// do not change.
func (ix *Index) ClusterChanged(before, after Cluster, g *Groups) []string {
	touched := map[string]bool{}
	keys, same := changedKeys(before.Labels, after.Labels), sameContext(before, after)
	for _, w := range []string{after.Workspace, elsewhere} {
		for key := range keys {
			maps.Copy(touched, ix.byKey[place{w, key}])
		}
		ix.regrouped(w, before, after, g, touched)
		if !same {
			maps.Copy(touched, ix.templated[w])
		}
	}
	maps.DeleteFunc(touched, func(id string, _ bool) bool {
		ok, err := ix.bundles[id].reach.candidate(&after, nil)
		return !ok && err == nil
	})
	ix.remapped(after.Workspace, before.WorkspaceLabels, after.WorkspaceLabels, touched)
	return slices.Sorted(maps.Keys(touched))
}

// regrouped adds the bundles that ask for a group the cluster entered or left.
func (ix *Index) regrouped(bundles string, before, after Cluster, g *Groups, touched map[string]bool) {
	for _, each := range g.in(after.Workspace) {
		if each.selector == nil || each.selector.selects(before.Labels) == each.selector.selects(after.Labels) {
			continue
		}
		maps.Copy(touched, ix.byGroup[place{bundles, each.name}])
		maps.Copy(touched, ix.anyGroup[bundles])
	}
}

// GroupChanged returns the bundles, sorted, that may decide differently after a
// ClusterGroup was made, changed or deleted.
func (ix *Index) GroupChanged(workspace, name string) []string {
	touched := map[string]bool{}
	for _, w := range []string{workspace, elsewhere} {
		maps.Copy(touched, ix.byGroup[place{w, name}])
		maps.Copy(touched, ix.anyGroup[w])
	}
	return slices.Sorted(maps.Keys(touched))
}

func changedKeys(a, b map[string]string) map[string]bool {
	changed := map[string]bool{}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			changed[k] = true
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			changed[k] = true
		}
	}
	return changed
}

// sameContext tells whether templates would see the same cluster.
func sameContext(a, b Cluster) bool {
	return maps.Equal(a.Labels, b.Labels) && maps.Equal(ownAnnotations(a.Annotations), ownAnnotations(b.Annotations)) &&
		bytes.Equal(a.TemplateValues, b.TemplateValues)
}

func (c *Compiled) uses() *uses {
	u := &uses{reach: c.reach}
	keys, groups := map[string]bool{}, map[string]bool{}
	for _, rules := range [][]rule{c.targets, c.restrictions, c.customizations} {
		for i := range rules {
			rules[i].uses(keys, groups)
			u.anyGroup = u.anyGroup || rules[i].groupSelector != nil
		}
	}
	// Every combination's values are made of these sets' values, so their labels
	// and templates are among these.
	for _, s := range append([]*optionSet{c.base}, c.first...) {
		for _, k := range s.keys {
			keys[k] = true
		}
		u.templated = u.templated || s.hasTemplates
	}
	u.keys, u.groups = slices.Sorted(maps.Keys(keys)), slices.Sorted(maps.Keys(groups))
	return u
}

func (c *criteria) uses(keys, groups map[string]bool) {
	if c.group != "" {
		groups[c.group] = true
	}
	if c.selector == nil {
		return
	}
	requirements, _ := c.selector.Requirements()
	for _, r := range requirements {
		keys[r.Key()] = true
	}
}
