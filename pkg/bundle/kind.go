package bundle

import (
	"path"
	"regexp"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// KindOf says which renderer a bundle's files need under some options. Options
// differ by cluster and so may the kind: ask again after merging. A chart wins;
// a bundle that is both is rendered by Helm, then by Kustomize (IsKustomize).
func KindOf(files []File, o v1alpha1.BundleOptions) Kind {
	switch {
	case isChart(files, o):
		return KindHelm
	case IsKustomize(files, o):
		return KindKustomize
	}
	return KindRaw
}

// IsKustomize tells whether the options or the files ask for a Kustomize build.
func IsKustomize(files []File, o v1alpha1.BundleOptions) bool {
	if o.Kustomize != nil && o.Kustomize.Dir != nil && !isReset(*o.Kustomize.Dir) {
		return true
	}
	return hasKustomization(files, ".")
}

func hasKustomization(files []File, dir string) bool {
	return hasFile(files, path.Join(dir, "kustomization.yaml")) || hasFile(files, path.Join(dir, "kustomization.yml")) ||
		hasFile(files, path.Join(dir, "Kustomization"))
}

func isChart(files []File, o v1alpha1.BundleOptions) bool {
	if o.Helm != nil && o.Helm.Chart != nil && !isReset(*o.Helm.Chart) {
		return true
	}
	return hasFile(files, "Chart.yaml")
}

// chartDir is where the chart is, relative to the bundle.
func chartDir(o v1alpha1.BundleOptions) string {
	if o.Helm == nil || o.Helm.Chart == nil || isReset(*o.Helm.Chart) {
		return "."
	}
	return path.Clean(strings.TrimLeft(*o.Helm.Chart, "/"))
}

var chartURL = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://`)

// localChart tells whether a chart is among the files.
func localChart(files []File, chart string) bool {
	clean, err := cleanPath(chart)
	if err != nil || chartURL.MatchString(chart) {
		return false
	}
	return hasFile(files, path.Join(clean, "Chart.yaml")) || hasFile(files, clean)
}

func hasFile(files []File, name string) bool {
	for _, f := range files {
		if f.Path == name {
			return true
		}
	}
	return false
}
