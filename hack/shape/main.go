package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	shapes, err := measureTree(root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "shape:", err)
		os.Exit(1)
	}
	fmt.Print(format(shapes))
}

// measureTree measures each Go package directory below root; generated code,
// test data and nested modules are not ours to judge.
func measureTree(root string) (map[string]*shape, error) {
	shapes := map[string]*shape{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipDir(root, path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		name, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		if shapes[name] == nil {
			shapes[name] = &shape{}
		}
		return measureFile(shapes[name], path)
	})
	return shapes, err
}

func skipDir(root, path, name string) error {
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	nested := err == nil && path != root
	if nested || name == "testdata" || name == "bin" || (strings.HasPrefix(name, ".") && path != root) {
		return filepath.SkipDir
	}
	return nil
}

func measureFile(s *shape, path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if strings.HasSuffix(path, "_test.go") {
		s.TestLines += lines(source)
		return nil
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("measure %s: %w", path, err)
	}
	if !generated(file) {
		s.CodeLines += lines(source)
		s.add(files, file)
	}
	return nil
}

// format prints a line per package and the sum.
func format(shapes map[string]*shape) string {
	var b strings.Builder
	row := func(name string, s *shape) {
		fmt.Fprintf(&b, "%-36s %6d %7d %6.1f %7d %4d %8d %7.0f%%\n", name, s.CodeLines, s.TestLines,
			s.testRatio(), s.percentile(50), s.percentile(90), s.percentile(100), s.documented())
	}
	fmt.Fprintf(&b, "%-36s %6s %7s %6s %7s %4s %8s %8s\n", "package", "code", "tests", "ratio", "median", "p90", "longest", "docs")
	all := &shape{}
	for _, name := range sortedNames(shapes) {
		row(name, shapes[name])
		all.merge(shapes[name])
	}
	row("all", all)
	b.WriteString("\nAims: median function <= 8 lines, p90 <= 32, tests >= 3 x code where it decides, docs 100 %.\n")
	return b.String()
}

func sortedNames(shapes map[string]*shape) []string {
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
