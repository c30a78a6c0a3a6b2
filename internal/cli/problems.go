package cli

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
)

// Codes of problems that show only when a bundle is rendered.
const (
	codeRenderFailed   = "RenderFailed"
	codeChartElsewhere = "ChartElsewhere"
	codeDecidedOn      = "DecidedOnCluster"
	codeVolatile       = "VolatileValue"
)

// problemIn says where in the repository a render failed, and why.
func problemIn(b *bundle.Bundle, d decision, err error) v1alpha1.Problem {
	p := v1alpha1.Problem{Code: codeRenderFailed, Message: decisionText(d, err)}
	var denied *targets.Denied
	if errors.As(err, &denied) {
		p.Code, p.Message = v1alpha1.ReasonPolicyDenied, denied.Reason
	}
	var problem *renderer.Problem
	if errors.As(err, &problem) {
		p = problem.Problem
	}
	var remote *chartElsewhere
	if errors.As(err, &remote) {
		p.Code, p.File, p.Suggestion = codeChartElsewhere, remote.needs.file, "--fetch-charts fetches it, without credentials"
	}
	if p.File != "" && inRepository(b, p.File) {
		p.File = path.Join(b.Path, p.File)
	} else {
		where := optionPosition(b, d, p.Message)
		p.File, p.Line, p.Column = where.File, where.Line, where.Column
	}
	p.Severity, p.Bundle = bundle.Error, b.Name
	return p
}

// decisionText leaves out the cluster of a decision that failed: whoever prints
// it names all clusters on which it fails alike.
func decisionText(d decision, err error) string {
	return strings.TrimPrefix(err.Error(), fmt.Sprintf("match cluster %s/%s: ", d.Workspace, d.Cluster))
}

// inRepository tells the bundle's own files from those of a chart that was fetched.
func inRepository(b *bundle.Bundle, file string) bool {
	for _, f := range b.Files {
		if f.Path == file || strings.HasPrefix(f.Path, file+"/") {
			return true
		}
	}
	return false
}

// onCluster names bundle and cluster in the message of a problem.
func onCluster(p v1alpha1.Problem, cluster string) v1alpha1.Problem {
	p.Message = fmt.Sprintf("bundle %s on cluster %s: %s", p.Bundle, cluster, p.Message)
	return p
}

// optionPosition finds the option that a message without a file begins with, such
// as "helm.values: ...", where a customization says it, else where the bundle
// does; else the customization taken, else the bundle.
func optionPosition(b *bundle.Bundle, d decision, message string) bundle.Position {
	option, _, _ := strings.Cut(message, ":")
	for i := range b.Spec.TargetCustomizations {
		key := fmt.Sprintf("targetCustomizations[%d]", i)
		if where, ok := b.Where[key+"."+option]; ok && b.Where[key] == d.Where {
			return where
		}
	}
	if where, ok := b.Where[option]; ok {
		return where
	}
	if d.Where.File != "" {
		return d.Where
	}
	return bundle.Position{File: path.Join(b.Path, b.OptionsFile)}
}
