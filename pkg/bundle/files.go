package bundle

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// readFiles reads every file of the bundle: hidden and ignored ones and nested
// bundles left out, links and look-alike paths refused.
func (r *reading) readFiles() {
	rules := r.rulesAbove(r.c.dir)
	size := 0
	r.readDir(".", rules, 0, &size)
	slices.SortFunc(r.all, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	r.refuseLookAlikes()
}

func (r *reading) rulesAbove(dir string) []ignoreRule {
	if dir == "." {
		return nil
	}
	up := path.Dir(dir)
	return append(slices.Clip(r.rulesAbove(up)), r.rulesIn(up)...)
}

// rulesIn reads a directory's ignore file once per Load. A fault in it breaks
// every bundle it speaks to: without the rules too much would be deployed.
func (r *reading) rulesIn(dir string) []ignoreRule {
	known, ok := r.ignores[dir]
	if !ok {
		known = r.readRules(path.Join(dir, ignoreFile), dir)
		r.ignores[dir] = known
	}
	if known.problem != nil {
		r.add(*known.problem)
	}
	return known.rules
}

// ignoreRules is an ignore file as read.
type ignoreRules struct {
	rules   []ignoreRule
	problem *Problem
}

func (r *reading) readRules(name, dir string) ignoreRules {
	if info, err := lookup(r.tree, name); err == nil && (info == nil || info.IsDir()) {
		return ignoreRules{}
	}
	data, err := readFile(r.tree, name, maxIgnoreBytes)
	if err != nil {
		p := unreadable(name, err)
		return ignoreRules{problem: &p}
	}
	rules := parseIgnore(dir, data)
	if len(rules) > maxIgnoreRules {
		p := errorAt(Position{File: name}, CodeTooLarge, fmt.Sprintf("holds more than %d rules", maxIgnoreRules))
		return ignoreRules{problem: &p}
	}
	return ignoreRules{rules: rules}
}

// readDir reads the directory rel of the bundle.
func (r *reading) readDir(rel string, rules []ignoreRule, depth int, size *int) {
	dir := path.Join(r.c.dir, rel)
	entries, err := fs.ReadDir(r.tree, dir)
	if err == nil && depth > maxDepth {
		err = errTooDeep
	}
	if err != nil {
		r.add(unreadable(dir, err))
		return
	}
	rules = append(slices.Clip(rules), r.rulesIn(dir)...)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if isHidden(e.Name()) || ignored(rules, name, e.IsDir()) {
			continue
		}
		if err := safeName(e.Name()); err != nil {
			r.add(errorAt(Position{File: dir}, CodeInvalidPath, err.Error()))
			continue
		}
		r.readEntry(e, path.Join(rel, e.Name()), rules, depth, size)
	}
}

func (r *reading) readEntry(e fs.DirEntry, rel string, rules []ignoreRule, depth int, size *int) {
	name := path.Join(r.c.dir, rel)
	switch {
	case e.IsDir():
		if r.c.whole || r.ownsDir(name) {
			r.readDir(rel, rules, depth+1, size)
		}
	case e.Type().IsRegular():
		r.readOne(name, rel, size)
	case e.Type()&fs.ModeSymlink != 0:
		r.add(errorAt(Position{File: name}, CodeSymlink, "is a symbolic link: links are not followed, copy the file or list it in "+ignoreFile))
	default:
		r.add(errorAt(Position{File: name}, CodeInvalidPath, "is neither a file nor a directory"))
	}
}

// ownsDir tells whether a subdirectory is part of this bundle.
func (r *reading) ownsDir(dir string) bool {
	s, err := r.shapeOf(dir, 0)
	if err != nil {
		r.add(unreadable(dir, err))
		return false
	}
	return s.options == ""
}

func (r *reading) readOne(name, rel string, size *int) {
	data, err := readFile(r.tree, name, maxFileBytes)
	if err != nil {
		if name != r.optionsPath() { // readOptions has said so
			r.add(unreadable(name, err))
		}
		return
	}
	*size += len(data)
	if *size > maxBundleBytes || len(r.all) >= maxBundleFiles {
		if len(r.all) > 0 && !hasCode(r.problems, CodeTooLarge) {
			r.add(errorAt(Position{File: r.c.dir}, CodeTooLarge, fmt.Sprintf("holds more than %d MiB or %d files", maxBundleBytes>>20, maxBundleFiles)))
		}
		return
	}
	r.all = append(r.all, File{Path: rel, Data: data})
}

func hasCode(problems []Problem, code string) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == code })
}

// refuseLookAlikes refuses paths that are one file on a file system that folds
// case or normalises Unicode, where the bundle would lose one of them.
func (r *reading) refuseLookAlikes() {
	seen := map[string]string{}
	for _, f := range r.all {
		folded := strings.ToLower(norm.NFC.String(f.Path))
		if other, ok := seen[folded]; ok {
			r.add(errorAt(Position{File: path.Join(r.c.dir, f.Path)}, CodePathCollision, fmt.Sprintf("differs from %s in case or Unicode form only", path.Join(r.c.dir, other))))
		}
		seen[folded] = f.Path
	}
}
