package bundle

import (
	"path"
	"regexp"
	"slices"
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

// kindsOf are the kinds that a bundle can have, by customization; the first is its own.
func kindsOf(files []File, base v1alpha1.BundleOptions, customizations []v1alpha1.Customization) []Kind {
	own := kindPart(base)
	kinds := []Kind{KindOf(files, own)}
	for _, c := range customizations {
		part := kindPart(c.BundleOptions)
		if part.Helm == nil && part.Kustomize == nil {
			kinds = append(kinds, kinds[0])
			continue
		}
		kinds = append(kinds, KindOf(files, Merge(own, part)))
	}
	return kinds
}

// kindPart is what of the options decides the kind; merging all of them, values
// included, once for each customization would cost a thousand times the file.
func kindPart(o v1alpha1.BundleOptions) v1alpha1.BundleOptions {
	part := v1alpha1.BundleOptions{Kustomize: o.Kustomize}
	if o.Helm != nil && o.Helm.Chart != nil {
		part.Helm = &v1alpha1.HelmOptions{Chart: o.Helm.Chart}
	}
	return part
}

// onlyRaw tells whether all of them are plain manifests.
func onlyRaw(kinds []Kind) bool {
	return !slices.ContainsFunc(kinds, func(k Kind) bool { return k != KindRaw })
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
