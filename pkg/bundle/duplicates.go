package bundle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// claim is a name that a directory says, whether it is otherwise healthy or not.
type claim struct {
	name, path, options string
	at                  Position // where it says so, if it does
}

// refuseDuplicates breaks all bundles that share a name, with broken ones too:
// taking one of them would deploy another directory's objects under it.
func (l *loader) refuseDuplicates() {
	byName := make(map[string][]claim, len(l.result.Bundles))
	for _, b := range l.result.Bundles {
		byName[b.Name] = append(byName[b.Name], claim{name: b.Name, path: b.Path, options: b.OptionsFile, at: b.Where["name"]})
	}
	for _, c := range l.claims {
		byName[c.name] = append(byName[c.name], c)
	}
	maps.DeleteFunc(byName, func(_ string, same []claim) bool { return len(same) == 1 })
	if len(byName) == 0 {
		return
	}
	l.result.Bundles = slices.DeleteFunc(l.result.Bundles, func(b Bundle) bool { return byName[b.Name] != nil })
	for name, same := range byName {
		l.result.Broken = append(l.result.Broken, name)
		slices.SortFunc(same, func(a, b claim) int { return cmp.Compare(a.place(), b.place()) })
		for i, c := range same {
			l.brokenPaths = append(l.brokenPaths, c.path)
			l.problem(c.duplicate("is also that of "+others(same, i), "set name: in one of them"))
		}
	}
}

// duplicate is the problem of a name that is somebody else's.
func (c claim) duplicate(whose, suggestion string) Problem {
	at := c.at
	if at.File == "" {
		at.File = c.path
	}
	p := errorAt(at, CodeDuplicateName, fmt.Sprintf("bundle name %s %s", c.name, whose))
	p.Bundle, p.Suggestion = c.name, suggestion
	return p
}

func (c claim) place() string {
	if c.options == "" {
		return c.path
	}
	return c.path + " (" + c.options + ")"
}

// maxOthers bounds how many directories of the same name each of them lists.
const maxOthers = 10

func others(same []claim, but int) string {
	var places []string
	for i, c := range same {
		if i == but {
			continue
		}
		if len(places) == maxOthers {
			return fmt.Sprintf("%s and %d more", strings.Join(places, ", "), len(same)-1-maxOthers)
		}
		places = append(places, c.place())
	}
	return strings.Join(places, ", ")
}

// keepLive names every live bundle that stood where something is broken now,
// whatever its name was: the fault may be in the name itself. Another directory
// that says such a name waits, since it would replace the objects of the broken one.
func (r *Result) keepLive(livePaths map[string]string, brokenPaths []string) {
	if len(brokenPaths) == 0 || len(livePaths) == 0 {
		return
	}
	liveAt := namesByPath(livePaths)
	healthy := make(map[string]Bundle, len(r.Bundles))
	for _, b := range r.Bundles {
		healthy[b.Name] = b
	}
	waiting, done := map[string]bool{}, map[string]bool{}
	for queue := slices.Sorted(slices.Values(brokenPaths)); len(queue) > 0; queue = queue[1:] {
		dir := queue[0]
		if done[dir] {
			continue
		}
		done[dir] = true
		for _, name := range liveAt[dir] {
			r.Broken = append(r.Broken, name)
			b, taken := healthy[name]
			if !taken || b.Path == dir || waiting[name] {
				continue
			}
			waiting[name] = true
			queue = append(queue, b.Path)
			c := claim{name: name, path: b.Path, options: b.OptionsFile, at: b.Where["name"]}
			r.Problems = append(r.Problems, c.duplicate("is live from "+dir+", which cannot be deployed now", "mend that one first"))
		}
	}
	r.Bundles = slices.DeleteFunc(r.Bundles, func(b Bundle) bool { return waiting[b.Name] })
}

// namesByPath lists the live bundles of each directory, sorted.
func namesByPath(livePaths map[string]string) map[string][]string {
	byPath := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(livePaths)) {
		byPath[livePaths[name]] = append(byPath[livePaths[name]], name)
	}
	return byPath
}
