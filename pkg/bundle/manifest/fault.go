package manifest

import (
	"fmt"
	"strings"
)

// Codes of faults; stable names a caller may branch on.
const (
	InvalidYAML      = "InvalidYAML"      // text that does not parse
	InvalidObject    = "InvalidObject"    // parses, but is no Kubernetes object
	DuplicateObject  = "DuplicateObject"  // one key twice in a bundle
	ReservedKey      = "ReservedKey"      // a label or annotation only Muster sets
	NamespaceForced  = "NamespaceForced"  // a cluster-scoped object in a bundle with a forced namespace
	InvalidOption    = "InvalidOption"    // an option of the bundle that cannot be followed
	InvalidValues    = "InvalidValues"    // values or their templates
	RenderFailed     = "RenderFailed"     // the chart or kustomization does not render
	RemoteRefused    = "RemoteRefused"    // something would be fetched while rendering
	ExecRefused      = "ExecRefused"      // something would be executed while rendering
	PathRefused      = "PathRefused"      // a path that leaves the bundle
	NotSupportedYet  = "NotSupported"     // known, not acted on yet
	DecidedOnCluster = "DecidedOnCluster" // values or keys that only the cluster has
	ValuesMissing    = "ValuesMissing"    // values that options name and nobody gave
	LimitExceeded    = "LimitExceeded"    // memory, time, output, number of objects, aliases
	RendererUnusable = "RendererUnusable" // the render process cannot be started or spoke nonsense
)

// maxMessage bounds what a fault may say, in bytes.
const maxMessage = 1000

// Fault is what is wrong with one bundle, and where. File is relative to the
// bundle's directory.
type Fault struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// Panicked says that a library gave up half-way: nobody knows what it left in
	// this process, so it is not asked again.
	Panicked bool `json:"-"`
}

// Error is file:line: message, as compilers print it.
func (f *Fault) Error() string {
	switch {
	case f.File == "":
		return f.Message
	case f.Line == 0:
		return f.File + ": " + f.Message
	default:
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
	}
}

// NewFault makes a fault with a clean, bounded message.
func NewFault(file string, line int, code, format string, args ...any) *Fault {
	return &Fault{File: Clean(file), Line: line, Code: code, Message: Clean(fmt.Sprintf(format, args...))}
}

// NewPanic makes the fault of inputs on which a library panicked.
func NewPanic(file, code, format string, args ...any) *Fault {
	f := NewFault(file, 0, code, format, args...)
	f.Panicked = true
	return f
}

// Clean strips control characters, joins lines and bounds the length: what was
// written by others ends in logs and terminals.
func Clean(s string) string {
	if len(s) > 4*maxMessage {
		s = s[:4*maxMessage]
	}
	s = strings.ToValidUTF8(s, "?")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return strings.TrimSpace(s)
}
