package renderer

import (
	"bytes"
	"path"
	"slices"
	"strings"

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
	named := map[string]bool{}
	for _, name := range h.ValuesFiles {
		named[path.Clean(strings.TrimLeft(name, "/"))] = true
	}
	return slices.ContainsFunc(files, func(f bundle.File) bool { return named[f.Path] && mentionsCluster(f.Data, templates) })
}

func mentionsCluster(text []byte, templates bool) bool {
	if bytes.Contains(text, []byte(labelPrefix)) || (templates && bytes.Contains(text, []byte("${"))) {
		return true
	}
	// An escape may hide either, a broken line too; encoding/json itself writes only those below.
	escapes := 0
	for _, hiding := range []string{`\u`, `\U`, `\x`, "\\\n", "\\\r"} {
		escapes += bytes.Count(text, []byte(hiding))
	}
	for _, harmless := range []string{`\u003c`, `\u003e`, `\u0026`, `\u2028`, `\u2029`} {
		escapes -= bytes.Count(text, []byte(harmless))
	}
	return escapes > 0
}
