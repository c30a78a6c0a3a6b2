package renderer

import (
	"errors"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// Problem is why inputs do not render. File is relative to the bundle's
// directory; Code is one of the codes of package manifest.
type Problem struct {
	bundle.Problem
	// Answers are what had been asked about the cluster by then: another cluster
	// that answers the same has the same problem. None for a hit limit, which
	// counts for all.
	Answers map[string]string
}

// Error is file:line: message.
func (p *Problem) Error() string {
	f := manifest.Fault{File: p.File, Line: p.Line, Code: p.Code, Message: p.Message}
	return f.Error()
}

// IsLimit tells whether a limit was hit, which another try may not hit.
func (p *Problem) IsLimit() bool { return p.Code == manifest.LimitExceeded }

// optionsFile is where a bundle's options are, if nobody says otherwise.
const optionsFile = "fleet.yaml"

// newProblem names the options' file where no other is to blame: what does not
// come from a file of the bundle comes from its options.
func newProblem(in Inputs, f *manifest.Fault, answers map[string]string) *Problem {
	return &Problem{Answers: answers, Problem: bundle.Problem{
		File: or(f.File, or(in.OptionsFile, optionsFile)), Line: f.Line, Bundle: in.Bundle,
		Severity: bundle.Error, Code: f.Code, Message: manifest.Clean(f.Message),
	}}
}

// faultOf is the fault in err, or one that holds its text.
func faultOf(err error) *manifest.Fault {
	var fault *manifest.Fault
	if errors.As(err, &fault) {
		return fault
	}
	return manifest.NewFault("", 0, manifest.RenderFailed, "%v", err)
}
