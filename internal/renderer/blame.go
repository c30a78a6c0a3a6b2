package renderer

import (
	"cmp"
	"path"
	"slices"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/kustomize"
)

// mainFile is what a bundle is built from: where to look first when a limit was
// hit once and is not hit again.
func mainFile(in Inputs) string {
	switch in.Kind {
	case bundle.KindHelm:
		return chartFile(in)
	case bundle.KindKustomize:
		return kustomize.Find(in.Files, kustomizeDir(in.Options))
	}
	if len(in.Files) == 0 {
		return ""
	}
	return slices.MaxFunc(in.Files, func(a, b bundle.File) int { return cmp.Compare(len(a.Data), len(b.Data)) }).Path
}

// chartFile is the Chart.yaml of a directory, or an archive as options name it.
func chartFile(in Inputs) string {
	chart := ""
	if in.Options.Helm != nil {
		chart = said(in.Options.Helm.Chart)
	}
	inside := path.Join(chart, "Chart.yaml")
	if chart == "" || slices.ContainsFunc(in.Files, func(f bundle.File) bool { return f.Path == inside }) {
		return inside
	}
	return chart
}
