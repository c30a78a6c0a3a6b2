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
	if bytes.Contains(text, []byte(labelPrefix)) || (templates && bytes.Contains(text, []byte("${"))) {
		return true
	}
	// An escape may hide either; encoding/json itself writes only these.
	escapes := bytes.Count(text, []byte(`\u`)) + bytes.Count(text, []byte(`\x`))
	for _, harmless := range []string{`\u003c`, `\u003e`, `\u0026`, `\u2028`, `\u2029`} {
		escapes -= bytes.Count(text, []byte(harmless))
	}
	return escapes > 0
}
