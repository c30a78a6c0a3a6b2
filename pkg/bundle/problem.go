package bundle

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
)

// Codes of problems. They are stable: people grep and suppress by them.
// Unreadable is no fault of what is in the files: they could not be read.
const (
	CodePathNotFound    = "PathNotFound"
	CodeInvalidPath     = "InvalidPath"
	CodeUnreadable      = "Unreadable"
	CodeSymlink         = "Symlink"
	CodePathCollision   = "PathCollision"
	CodeDuplicateName   = "DuplicateName"
	CodeDependencyCycle = "DependencyCycle"
	CodeInvalidYAML     = "InvalidYAML"
	CodeUnknownKey      = "UnknownKey"
	CodeDuplicateKey    = "DuplicateKey"
	CodeWrongType       = "WrongType"
	CodeInvalidValue    = "InvalidValue"
	CodeNotSupported    = "NotSupported"
	CodeNoEffect        = "NoEffect"
	CodeTooLarge        = "TooLarge"
	CodeInvalidObject   = "InvalidObject"
	CodeOverridden      = "Overridden"
	CodeDeprecated      = "Deprecated"
	CodeAmbiguousFiles  = "AmbiguousFiles"
)

// maxProblems bounds what is kept of one bundle's faults; the first are the ones to mend first.
const maxProblems = 100

func errorAt(pos Position, code, message string) Problem {
	return Problem{File: pos.File, Line: pos.Line, Column: pos.Column, Severity: Error, Code: code, Message: message}
}

func warningAt(pos Position, code, message string) Problem {
	p := errorAt(pos, code, message)
	p.Severity = Warning
	return p
}

// unreadable reports what the file system, or a bound on what is read of it, did
// not let through. Where the error names a path itself, that is the file.
func unreadable(file string, err error) Problem {
	if errors.Is(err, errTooLarge) || errors.Is(err, errTooDeep) {
		return errorAt(Position{File: file}, CodeTooLarge, "cannot be read: "+err.Error())
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok && fs.ValidPath(at.Path) {
		return errorAt(Position{File: at.Path}, CodeUnreadable, "cannot be read: "+at.Err.Error())
	}
	return errorAt(Position{File: file}, CodeUnreadable, "cannot be read: "+err.Error())
}

func hasError(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error })
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
}

// nearest returns the candidate that differs from word by the fewest edits, if
// they are few enough to be a slip.
func nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", 1+max(2, len(word)/3)
	for _, c := range candidates {
		if d := editDistance(word, c); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, substitutions and swaps of neighbours.
func editDistance(a, b string) int {
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if fold(a[i-1]) == fold(b[j-1]) {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
