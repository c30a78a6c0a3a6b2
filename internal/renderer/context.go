package renderer

import (
	"bytes"
	"slices"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// labelPrefix starts a value that stands for a cluster's label.
const labelPrefix = "global.fleet.clusterLabels."

// NeedsContext tells whether the render of these inputs can differ between
// clusters by their names, labels, annotations or template values. It looks for
// what starts a template in values, templateValues and the valuesFiles, and may
// say yes once too often, never no.
func NeedsContext(files []bundle.File, o v1alpha1.BundleOptions) bool {
	h := o.Helm
	if h == nil {
		return false
	}
	templates := !isTrue(h.DisablePreProcess)
	if templates && len(h.TemplateValues) > 0 {
		return true
	}
	if h.Values != nil && mentionsCluster(h.Values.Raw, templates) {
		return true
	}
	for _, f := range files {
		if slices.Contains(h.ValuesFiles, f.Path) && mentionsCluster(f.Data, templates) {
			return true
		}
	}
	return false
}

func mentionsCluster(text []byte, templates bool) bool {
	return bytes.Contains(text, []byte(labelPrefix)) || (templates && bytes.Contains(text, []byte("${"))) || bytes.Contains(text, []byte(`\u`)) || bytes.Contains(text, []byte(`\x`))
}
