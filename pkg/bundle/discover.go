package bundle

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// shape is what discovery knows of a directory and everything below it. It
// depends on names alone, so equal tree hashes have equal shapes.
type shape struct {
	// options is the directory's own options file, if any.
	options string
	// both says that fleet.yaml and fleet.yml are there.
	both bool
	// manifests says that the directory, or one below it that belongs to it, holds YAML.
	manifests bool
	// nested are the bundles below, relative; those inside them included.
	nested []nestedDir
	// faults are names that may not be used, relative.
	faults []string
}

type nestedDir struct {
	dir     string
	options string
	both    bool
}

// candidate is a directory that is a bundle.
type candidate struct {
	dir     string
	options string
	both    bool
	// named says that the GitRepo names the options file, so that it is part of the name.
	named bool
	// whole says that nested bundles' directories belong to this one.
	whole bool
	// without are options files of other bundles with the same base.
	without []string
}

func isOptionsFile(name string) bool { return name == "fleet.yaml" || name == "fleet.yml" }

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

// shapeOf looks at a directory and what is below it. Directories whose hash the
// cache knows are not listed.
func (l *loader) shapeOf(dir string, depth int) (shape, error) {
	if depth > maxDepth {
		return shape{}, fmt.Errorf("list %s: %w", dir, errTooDeep)
	}
	hash, err := l.hash(dir)
	if err != nil {
		return shape{}, err
	}
	if s, ok := l.cache.shape(hash); ok {
		return s, nil // what is below is not asked for while this stays; bundles' own shapes are, by identify
	}
	s, err := l.listShape(dir, depth)
	if err != nil {
		return shape{}, err
	}
	l.cache.kept.shapes[hash] = s
	return s, nil
}

func (l *loader) listShape(dir string, depth int) (shape, error) {
	entries, err := fs.ReadDir(l.tree, dir)
	if err != nil {
		return shape{}, fmt.Errorf("list %s: %w", dir, err)
	}
	var s shape
	for _, e := range entries {
		name := e.Name()
		switch {
		case safeName(name) != nil:
			s.faults = append(s.faults, name)
		case isHidden(name):
		case e.IsDir():
			below, err := l.shapeOf(path.Join(dir, name), depth+1)
			if err != nil {
				return shape{}, err
			}
			s.add(name, below)
		case isOptionsFile(name):
			s.both = s.options != ""
			s.options = optionsOf(s.options, name)
		case isYAML(name):
			s.manifests = true
		}
	}
	return s, nil
}

// optionsOf prefers fleet.yaml, as Fleet does.
func optionsOf(have, name string) string {
	if have == "" {
		return name
	}
	return "fleet.yaml"
}

// add makes a subdirectory part of a shape.
func (s *shape) add(name string, below shape) {
	if below.options != "" {
		s.nested = append(s.nested, nestedDir{dir: name, options: below.options, both: below.both})
	} else {
		s.manifests = s.manifests || below.manifests
	}
	for _, n := range below.nested {
		s.nested = append(s.nested, nestedDir{dir: name + "/" + n.dir, options: n.options, both: n.both})
	}
	for _, f := range below.faults {
		s.faults = append(s.faults, name+"/"+f)
	}
}

// discover finds the bundles of the GitRepo's paths, or those it lists.
func (l *loader) discover() []candidate {
	if len(l.repo.Spec.Bundles) > 0 {
		return l.discoverListed()
	}
	patterns := l.repo.Spec.Paths
	if len(patterns) == 0 {
		patterns = []string{"/"}
	}
	var found []candidate
	seen := map[string]bool{}
	for _, pattern := range patterns {
		for _, c := range l.discoverPattern(pattern) {
			if !seen[c.dir] {
				seen[c.dir] = true
				found = append(found, c)
			}
		}
	}
	return found
}

// discoverPattern finds the bundles of one entry of paths. Finding none is an
// error that keeps everything live: a mistyped path must never delete.
func (l *loader) discoverPattern(pattern string) []candidate {
	clean, err := cleanPath(pattern)
	if err != nil {
		l.unknown(CodeInvalidPath, "paths: "+err.Error())
		return nil
	}
	dirs, err := l.globDirs(clean)
	if err != nil {
		l.result.Unknown = true
		l.problem(badPath(pattern, err))
		return nil
	}
	if len(dirs) == 0 {
		l.result.Unknown = true
		l.problem(Problem{Severity: Error, Code: CodePathNotFound, Message: fmt.Sprintf("paths: %q matches no directory", pattern), Suggestion: l.suggestPath(clean)})
		return nil
	}
	var found []candidate
	inDoubt := false
	for _, dir := range dirs {
		s, err := l.shapeOf(dir, 0)
		if err != nil {
			l.result.Unknown = true
			l.problem(unreadable(dir, err))
			inDoubt = true
			continue
		}
		found = append(found, l.fromShape(dir, s)...)
	}
	if len(found) == 0 && !inDoubt {
		l.unknown(CodePathNotFound, fmt.Sprintf("paths: %q matches no directory that holds a bundle (fleet.yaml or YAML manifests)", pattern))
	}
	return found
}

// badPath tells a pattern that is none from a directory that cannot be read.
func badPath(pattern string, err error) Problem {
	if p := unreadable("", err); p.File != "" {
		return p
	}
	return errorAt(Position{}, CodeInvalidPath, fmt.Sprintf("paths: %q: %v", pattern, err))
}

func (l *loader) fromShape(dir string, s shape) []candidate {
	var found []candidate
	if s.options != "" || s.manifests {
		found = append(found, candidate{dir: dir, options: s.options, both: s.both})
	}
	for _, n := range s.nested {
		found = append(found, candidate{dir: path.Join(dir, n.dir), options: n.options, both: n.both})
	}
	for _, f := range s.faults {
		l.problem(errorAt(Position{File: dir}, CodeInvalidPath, fmt.Sprintf("holds an entry %.200q that is not read: %v", f, safeName(path.Base(f)))))
	}
	return found
}

// discoverListed takes the bundles that the GitRepo lists.
func (l *loader) discoverListed() []candidate {
	var found []candidate
	for i, b := range l.repo.Spec.Bundles {
		c, err := l.listed(b.Base, b.Options)
		if err != nil {
			l.unknown(CodePathNotFound, fmt.Sprintf("bundles[%d]: %v", i, err))
			continue
		}
		found = append(found, c)
	}
	for i := range found {
		for _, other := range found {
			if other.dir == found[i].dir && other.options != found[i].options && other.options != "" {
				found[i].without = append(found[i].without, other.options)
			}
		}
	}
	return found
}

func (l *loader) listed(base, options string) (candidate, error) {
	dir, err := cleanPath(base)
	if err != nil {
		return candidate{}, fmt.Errorf("base: %w", err)
	}
	dirs, err := l.existingDir(dir)
	if err != nil {
		return candidate{}, err
	}
	if len(dirs) == 0 {
		return candidate{}, fmt.Errorf("base %q is no directory", base)
	}
	c := candidate{dir: dir, whole: true, named: options != ""}
	if options == "" {
		c.options = l.ownOptions(dir)
		return c, nil
	}
	if c.options, err = cleanPath(options); err != nil {
		return candidate{}, fmt.Errorf("options: %w", err)
	}
	info, err := lookup(l.tree, path.Join(dir, c.options))
	if err != nil || info == nil || info.IsDir() {
		return candidate{}, fmt.Errorf("options %q is no file in %s", options, dir)
	}
	return c, nil
}

func (l *loader) ownOptions(dir string) string {
	for _, name := range []string{"fleet.yaml", "fleet.yml"} {
		if _, err := fs.Lstat(l.tree, path.Join(dir, name)); err == nil {
			return name
		}
	}
	return ""
}

// suggestPath names the directory that a mistyped path most likely means: all is
// right up to one segment, and that is near to the name of a directory there.
func (l *loader) suggestPath(clean string) string {
	dir, segments := ".", strings.Split(clean, "/")
	for i, segment := range segments {
		if info, err := lookup(l.tree, path.Join(dir, segment)); err == nil && info != nil && info.IsDir() {
			dir = path.Join(dir, segment)
			continue
		}
		found := nearest(segment, l.subdirectories(dir))
		if found == "" {
			return ""
		}
		return "did you mean " + path.Join(append([]string{dir, found}, segments[i+1:]...)...) + "?"
	}
	return ""
}

func (l *loader) subdirectories(dir string) []string {
	entries, err := fs.ReadDir(l.tree, dir)
	if err != nil {
		return nil // then there is nothing to suggest
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !isHidden(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}
