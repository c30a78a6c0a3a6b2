package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
)

// CheckSource returns one sentence for each place in a pure package's file where
// it asks for the time, waits, or starts a goroutine. The source is Go code; name
// is used in the sentences.
func CheckSource(name string, source []byte) ([]string, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	timeName := importName(file, "time")
	var findings []string
	ast.Inspect(file, func(node ast.Node) bool {
		if what := impurity(node, timeName); what != "" {
			findings = append(findings, fmt.Sprintf("%s: %s", files.Position(node.Pos()), what))
		}
		return true
	})
	return findings, nil
}

// impurity says what is wrong with a node, or nothing.
func impurity(node ast.Node, timeName string) string {
	switch n := node.(type) {
	case *ast.GoStmt:
		return "starts a goroutine; decisions are plain functions"
	case *ast.SelectorExpr:
		of, ok := n.X.(*ast.Ident)
		if ok && timeName != "" && of.Name == timeName && slices.Contains(clockReaders(), n.Sel.Name) {
			return "uses time." + n.Sel.Name + "; take the time as an argument"
		}
	}
	return ""
}

// clockReaders are the functions of package time that look at the clock.
func clockReaders() []string {
	return []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
}

// importName is the name under which a file knows a package, or nothing.
func importName(file *ast.File, path string) string {
	for _, spec := range file.Imports {
		if spec.Path.Value != `"`+path+`"` {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path
	}
	return ""
}
