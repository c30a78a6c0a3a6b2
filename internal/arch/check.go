package arch

import (
	"fmt"
	"slices"
	"strings"
)

// Package is what the rules look at: a package's own imports, without those of
// its tests.
type Package struct {
	// Path is the import path.
	Path string
	// Imports are the import paths of its files.
	Imports []string
}

// Check returns one sentence for each broken rule, sorted; none if all hold.
// Packages that are no part of the product are not looked at.
func Check(module string, rules []Rule, impure []string, packages []Package) []string {
	c := checker{module: module, rules: rules, impure: impure}
	var findings []string
	for _, p := range packages {
		findings = append(findings, c.check(p)...)
	}
	slices.Sort(findings)
	return slices.Compact(findings)
}

// Pure is true if the rules want the package at path to decide on values only.
func Pure(module string, rules []Rule, path string) bool {
	c := checker{module: module, rules: rules}
	name, ours := c.relative(path)
	rule, known := c.rule(name)
	return ours && known && rule.Pure
}

// Below returns the prefix that path is or lies below, if there is one.
func Below(path string, prefixes []string) (prefix string, found bool) {
	for _, prefix := range prefixes {
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return prefix, true
		}
	}
	return "", false
}

type checker struct {
	module string
	rules  []Rule
	impure []string
}

func (c checker) check(p Package) []string {
	name, ours := c.relative(p.Path)
	if !ours || !governed(name) {
		return nil
	}
	rule, ok := c.rule(name)
	if !ok {
		return []string{fmt.Sprintf("%s has no level: add it to the table in internal/arch/table.go", name)}
	}
	var findings []string
	for _, imported := range p.Imports {
		if problem := c.checkImport(name, rule, imported); problem != "" {
			findings = append(findings, problem)
		}
	}
	return findings
}

// checkImport judges one import of the package name, which stands under rule.
func (c checker) checkImport(name string, rule Rule, imported string) string {
	if other, ours := c.relative(imported); ours {
		return c.checkOwn(name, rule, other)
	}
	if rule.Pure && under(imported, c.impure) && !under(imported, rule.May) {
		return fmt.Sprintf("%s imports %s: it decides on values and may not reach outside", name, imported)
	}
	if rule.Outside != nil && !standard(imported) && !under(imported, rule.Outside) {
		return fmt.Sprintf("%s imports %s: outside the standard library it may import only %s", name, imported, orNothing(rule.Outside))
	}
	return ""
}

// checkOwn judges an import of another package of this module.
func (c checker) checkOwn(name string, rule Rule, other string) string {
	target, known := c.rule(other)
	switch {
	case !governed(other):
		return fmt.Sprintf("%s imports %s, which is not part of the product", name, other)
	case !known:
		return "" // said once, about the package itself
	case target.Level > rule.Level:
		return fmt.Sprintf("%s (level %d) imports %s (level %d): lower never imports higher", name, rule.Level, other, target.Level)
	case target.OnlyFor != nil && !under(name, target.OnlyFor) && !under(name, []string{target.Path}):
		return fmt.Sprintf("%s imports %s, which only %s may", name, other, strings.Join(target.OnlyFor, " and "))
	}
	return ""
}

// rule finds the rule with the longest path that covers name.
func (c checker) rule(name string) (Rule, bool) {
	var found Rule
	for _, r := range c.rules {
		if under(name, []string{r.Path}) && len(r.Path) > len(found.Path) {
			found = r
		}
	}
	return found, found.Path != ""
}

// relative is path within the module, and whether it is in it.
func (c checker) relative(path string) (string, bool) {
	return strings.CutPrefix(path, c.module+"/")
}

// governed is true for the trees whose packages need a level; the rest, such as
// test and hack, may import everything and be imported by nothing.
func governed(name string) bool {
	return under(name, []string{"pkg", "internal", "cmd", "charts", "examples"})
}

// under is Below for those who need no reason.
func under(path string, prefixes []string) bool {
	_, found := Below(path, prefixes)
	return found
}

// standard is true for the standard library, whose first element has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func orNothing(prefixes []string) string {
	if len(prefixes) == 0 {
		return "nothing"
	}
	return strings.Join(prefixes, " and ")
}
