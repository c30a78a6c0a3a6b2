package bundle

import (
	"slices"
	"strings"
)

// keepsLastGood ends the message of every problem that Deployable acts on.
const keepsLastGood = "; the hub keeps the last good revision"

// Deployable moves bundles that need what the hub does not do yet to Broken:
// they keep their last good revision. Rendering and matching them offline is fine.
func (r Result) Deployable() Result {
	held := map[string]Bundle{}
	for _, b := range r.Bundles {
		if len(b.Unsupported) > 0 {
			held[b.Name] = b
		}
	}
	if len(held) == 0 {
		return r
	}
	out := r
	out.Problems, out.Broken = slices.Clone(r.Problems), slices.Clone(r.Broken)
	out.Bundles = slices.DeleteFunc(slices.Clone(r.Bundles), func(b Bundle) bool { return len(b.Unsupported) > 0 })
	said, dirs := map[string]bool{}, make([]string, 0, len(held))
	for i, p := range out.Problems {
		if _, is := held[p.Bundle]; is && p.Code == CodeNotSupported && strings.HasSuffix(p.Message, keepsLastGood) {
			out.Problems[i].Severity, said[p.Bundle] = Error, true
		}
	}
	for name, b := range held {
		if !said[name] { // the bundle has more problems than are kept
			p := errorAt(Position{File: b.Path}, CodeNotSupported, "not supported yet: "+strings.Join(b.Unsupported, ", ")+keepsLastGood)
			p.Bundle = name
			out.Problems = append(out.Problems, p)
		}
		out.Broken, dirs = append(out.Broken, name), append(dirs, b.Path)
	}
	out.keepLive(r.livePaths, dirs)
	out.tidy()
	return out
}

// tidy sorts a result and gives a name that is broken and healthy in one directory
// (of several options files there one is broken) to the healthy one.
func (r *Result) tidy() {
	slices.SortFunc(r.Bundles, func(a, b Bundle) int { return strings.Compare(a.Name, b.Name) })
	sortProblems(r.Problems)
	slices.Sort(r.Broken)
	r.Broken = slices.Compact(r.Broken)
	healthy := make(map[string]bool, len(r.Bundles))
	for _, b := range r.Bundles {
		healthy[b.Name] = true
	}
	r.Broken = slices.DeleteFunc(r.Broken, func(name string) bool { return healthy[name] })
	if len(r.Broken) == 0 {
		r.Broken = nil
	}
}
