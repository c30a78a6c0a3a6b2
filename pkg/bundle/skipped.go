package bundle

import (
	"slices"
	"strings"
)

// Skipped lists the files of a bundle that nothing makes objects of: in a bundle
// of plain manifests those that are no YAML or JSON, charts that it holds and does
// not choose, and overlays that no target chooses. In a chart or a kustomization the renderer decides, and the list is
// empty; so it is for an Unchanged bundle, whose files were not read.
func Skipped(b Bundle) []string {
	chosen := map[string]bool{}
	if b.Spec.YAML != nil {
		note(chosen, b.Spec.YAML.Overlays)
	}
	if !onlyRaw(kindsOf(b.Files, b.Spec.BundleOptions, b.Spec.TargetCustomizations)) {
		return nil
	}
	for _, c := range b.Spec.TargetCustomizations {
		if c.YAML != nil {
			note(chosen, c.YAML.Overlays)
		}
	}
	var skipped []string
	charts := chartDirs(b.Files)
	for _, f := range b.Files {
		if !isManifest(f.Path) || strings.HasPrefix(f.Path, overlaysDir) && !inOverlays(chosen, f.Path) || inCharts(charts, f.Path) {
			skipped = append(skipped, f.Path)
		}
	}
	return slices.Clip(skipped)
}

func note(chosen map[string]bool, names []string) {
	for _, name := range names {
		chosen[name] = true
	}
}
