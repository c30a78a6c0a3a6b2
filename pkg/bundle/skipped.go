package bundle

import (
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Skipped lists the files of a bundle that nothing makes objects of: in a bundle
// of plain manifests those that are no YAML or JSON, charts that it holds and does
// not choose, and overlays that no target chooses; in one of charts what lies
// outside of them. With a kustomization, or where targets differ in the kind, the
// renderer decides, and the list is
// empty; so it is for an Unchanged bundle, whose files were not read.
func Skipped(b Bundle) []string {
	kinds := kindsOf(b.Files, b.Spec.BundleOptions, b.Spec.TargetCustomizations)
	if onlyRaw(kinds) {
		return besideManifests(b)
	}
	if slices.ContainsFunc(kinds, func(k Kind) bool { return k != KindHelm }) || anyKustomize(b) {
		return nil
	}
	return besideCharts(b)
}

func besideManifests(b Bundle) []string {
	chosen := map[string]bool{}
	if b.Spec.YAML != nil {
		note(chosen, b.Spec.YAML.Overlays)
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

// anyKustomize tells whether some target has a kustomization built.
func anyKustomize(b Bundle) bool {
	return IsKustomize(b.Files, b.Spec.BundleOptions) ||
		slices.ContainsFunc(b.Spec.TargetCustomizations, func(c v1alpha1.Customization) bool { return IsKustomize(b.Files, c.BundleOptions) })
}

func besideCharts(b Bundle) []string {
	choices, complete := chartChoices(b.Spec)
	if !complete {
		return nil
	}
	read := map[string]bool{fetchedCharts[:len(fetchedCharts)-1]: true}
	for _, h := range choices {
		o := v1alpha1.BundleOptions{Helm: &h}
		if _, remote := RemoteChart(o); !remote {
			noteChart(read, b.Files, chartDir(o))
		}
	}
	var skipped []string
	for _, f := range b.Files {
		if !isBelow(read, f.Path) {
			skipped = append(skipped, f.Path)
		}
	}
	return slices.Clip(skipped)
}

// noteChart adds a chart and those of its dependencies that lie beside it.
func noteChart(read map[string]bool, files []File, dir string) {
	if read[dir] {
		return
	}
	read[dir] = true
	for _, d := range Dependencies(files, dir) {
		if d.Dir != "" {
			noteChart(read, files, path.Clean(d.Dir))
		}
	}
}

// isBelow tells whether a file is one of the paths or lies in one.
func isBelow(paths map[string]bool, file string) bool {
	for ; file != "." && file != "/"; file = path.Dir(file) {
		if paths[file] {
			return true
		}
	}
	return paths["."]
}
