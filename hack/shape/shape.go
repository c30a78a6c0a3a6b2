package main

import (
	"bytes"
	"go/ast"
	"go/token"
	"slices"
)

// shape is what is measured of one package.
type shape struct {
	CodeLines, TestLines int
	Functions            []int // lines of each body, without its braces
	Exported, Documented int
}

// add measures one file.
func (s *shape) add(files *token.FileSet, file *ast.File) {
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			s.addFunction(files, d)
		case *ast.GenDecl:
			s.addNames(d)
		}
	}
}

func (s *shape) addFunction(files *token.FileSet, f *ast.FuncDecl) {
	if f.Body != nil {
		from, to := files.Position(f.Body.Lbrace).Line, files.Position(f.Body.Rbrace).Line
		s.Functions = append(s.Functions, max(1, to-from-1))
	}
	if f.Name.IsExported() && exportedReceiver(f) {
		s.count(f.Doc)
	}
}

// addNames counts exported types, constants and variables; a comment on a group
// speaks for all in it.
func (s *shape) addNames(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch one := spec.(type) {
		case *ast.TypeSpec:
			if one.Name.IsExported() {
				s.count(d.Doc, one.Doc)
			}
		case *ast.ValueSpec:
			if slices.ContainsFunc(one.Names, func(n *ast.Ident) bool { return n.IsExported() }) {
				s.count(d.Doc, one.Doc, one.Comment)
			}
		}
	}
}

// count notes an exported name and whether any of the comments is there.
func (s *shape) count(docs ...*ast.CommentGroup) {
	s.Exported++
	if slices.ContainsFunc(docs, func(doc *ast.CommentGroup) bool { return doc != nil }) {
		s.Documented++
	}
}

// merge adds another package's numbers.
func (s *shape) merge(other *shape) {
	s.CodeLines += other.CodeLines
	s.TestLines += other.TestLines
	s.Functions = append(s.Functions, other.Functions...)
	s.Exported += other.Exported
	s.Documented += other.Documented
}

// percentile is the length that p percent of the functions do not exceed.
func (s *shape) percentile(p int) int {
	if len(s.Functions) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.Functions))
	return sorted[(len(sorted)*p+99)/100-1]
}

func (s *shape) testRatio() float64 {
	if s.CodeLines == 0 {
		return 0
	}
	return float64(s.TestLines) / float64(s.CodeLines)
}

// documented is the percentage of exported names with a comment.
func (s *shape) documented() float64 {
	if s.Exported == 0 {
		return 100
	}
	return 100 * float64(s.Documented) / float64(s.Exported)
}

// exportedReceiver is false for methods of types nobody outside can name.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	of := f.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if index, ok := of.(*ast.IndexExpr); ok {
		of = index.X
	}
	name, ok := of.(*ast.Ident)
	return ok && name.IsExported()
}

func generated(file *ast.File) bool { return ast.IsGenerated(file) }

func lines(source []byte) int { return bytes.Count(source, []byte("\n")) }
