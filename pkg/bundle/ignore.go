package bundle

import (
	"path"
	"strings"
)

// ignoreFile names what to leave out of a bundle, in gitignore's syntax.
const ignoreFile = ".fleetignore"

// Bounds on an ignore file: every rule is tried on every file.
const (
	maxIgnoreBytes = 64 << 10
	maxIgnoreRules = 1000
)

// ignoreRule is one line of an ignore file.
type ignoreRule struct {
	base     string // directory of the ignore file, "." at the root
	segments []string
	negated  bool
	dirOnly  bool
	anchored bool
}

// parseIgnore reads an ignore file that stands in the directory base. A line
// that is no valid pattern matches nothing, as with Git.
func parseIgnore(base string, data []byte) []ignoreRule {
	var rules []ignoreRule
	for _, line := range strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n") {
		if r, ok := parseIgnoreLine(base, strings.TrimSuffix(line, "\r")); ok {
			rules = append(rules, r)
		}
	}
	return rules
}

func parseIgnoreLine(base, line string) (ignoreRule, bool) {
	line = trimSpaces(line)
	r := ignoreRule{base: base}
	if line == "" || line[0] == '#' {
		return r, false
	}
	if line[0] == '!' {
		r.negated, line = true, line[1:]
	}
	if strings.HasSuffix(line, "/") {
		r.dirOnly, line = true, strings.TrimSuffix(line, "/")
	}
	r.anchored = strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return r, false
	}
	r.segments = strings.Split(line, "/")
	return r, true
}

// trimSpaces removes trailing spaces unless a backslash keeps them.
func trimSpaces(line string) string {
	for strings.HasSuffix(line, " ") {
		body := line[:len(line)-1]
		slashes := len(body) - len(strings.TrimRight(body, `\`))
		if slashes%2 == 1 {
			return line
		}
		line = body
	}
	return line
}

// ignored tells whether the last rule that matches p excludes it. Parents must
// be asked first: what lies in an excluded directory cannot be included again.
func ignored(rules []ignoreRule, p string, isDir bool) bool {
	for i := len(rules) - 1; i >= 0; i-- {
		if rules[i].matches(p, isDir) {
			return !rules[i].negated
		}
	}
	return false
}

func (r ignoreRule) matches(p string, isDir bool) bool {
	if r.dirOnly && !isDir {
		return false
	}
	rel := p
	if r.base != "." {
		var below bool
		if rel, below = strings.CutPrefix(p, r.base+"/"); !below {
			return false
		}
	}
	if !r.anchored {
		return matchSegment(r.segments[0], path.Base(rel))
	}
	return matchSegments(r.segments, strings.Split(rel, "/"))
}

// matchSegments matches path segments; "**" stands for any number of them, at
// the end for at least one. It goes back to the last "**" only, which suffices
// and keeps a pattern made of many from costing exponential time.
func matchSegments(pattern, name []string) bool {
	p, n, stars, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			if p == len(pattern)-1 {
				return true
			}
			stars, from = p, n
			p++
		case p < len(pattern) && matchSegment(pattern[p], name[n]):
			p++
			n++
		case stars >= 0:
			from++
			p, n = stars+1, from
		default:
			return false
		}
	}
	return p == len(pattern)
}

func matchSegment(pattern, name string) bool {
	ok, err := path.Match(gitClass(pattern), name)
	return err == nil && ok
}

// gitClass writes Git's negated class [!a] the way path.Match wants it.
func gitClass(pattern string) string {
	return strings.ReplaceAll(pattern, "[!", "[^")
}
