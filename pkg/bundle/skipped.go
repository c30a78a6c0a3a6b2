package bundle

import (
	"slices"
	"strings"
)

// Skipped lists the files of a bundle that nothing makes objects of: in a bundle
// of plain manifests those that are no YAML or JSON, and overlays that no target
// chooses. In a chart or a kustomization the renderer decides, and the list is
// empty; so it is for an Unchanged bundle, whose files were not read.
func Skipped(b Bundle) []string {
	chosen := map[string]bool{}
	if b.Spec.YAML != nil {
		note(chosen, b.Spec.YAML.Overlays)
	}
	if KindOf(b.Files, b.Spec.BundleOptions) != KindRaw {
		return nil
	}
	for _, c := range b.Spec.TargetCustomizations {
		if KindOf(b.Files, Merge(b.Spec.BundleOptions, c.BundleOptions)) != KindRaw {
			return nil
		}
		if c.YAML != nil {
			note(chosen, c.YAML.Overlays)
		}
	}
	var skipped []string
	for _, f := range b.Files {
		overlay, below := overlayOf(f.Path)
		if !isManifest(f.Path) || below && !chosen[overlay] {
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

// overlayOf names the overlay that a file is part of.
func overlayOf(file string) (string, bool) {
	rest, below := strings.CutPrefix(file, overlaysDir)
	if !below {
		return "", false
	}
	name, _, inside := strings.Cut(rest, "/")
	if !inside {
		return "", true // beside the overlays: no overlay's file
	}
	return name, true
}
