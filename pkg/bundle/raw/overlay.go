package raw

import (
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

const (
	overlaysDir = "overlays/"
	// patchMark in the name of an overlay's file says that it patches the file
	// whose name lacks it: app_patch.yaml patches app.yaml.
	patchMark = "_patch."
)

// source is one manifest file as it comes out of the overlays.
type source struct {
	// name in the bundle, and the file the text stands in: another if an overlay replaced it.
	name, file string
	data       []byte
	// patches of overlays, in order.
	patches []bundle.File
}

// layers is a bundle while overlays are laid over it.
type layers map[string]*source

// lay returns the manifest files of a bundle under its overlays, sorted by name.
func lay(files []bundle.File, overlays []string) ([]*source, error) {
	l := layers{}
	charts := chartDirs(files)
	for _, f := range files {
		if IsManifest(f.Path) && !charts.hold(f.Path) {
			l[f.Path] = &source{name: f.Path, file: f.Path, data: f.Data}
		}
	}
	for _, name := range overlays {
		if err := l.add(files, name); err != nil {
			return nil, err
		}
	}
	var sources []*source
	for _, s := range l {
		sources = append(sources, s)
	}
	slices.SortFunc(sources, func(a, b *source) int { return strings.Compare(a.name, b.name) })
	return sources, nil
}

// dirs are directories, each with a slash at its end.
type dirs []string

// chartDirs are the directories of charts within the bundle: somebody renders
// them from elsewhere, and Fleet does not take their files for manifests either.
func chartDirs(files []bundle.File) dirs {
	var found dirs
	for _, f := range files {
		if dir, isChart := strings.CutSuffix(f.Path, "/Chart.yaml"); isChart {
			found = append(found, dir+"/")
		}
	}
	return found
}

func (d dirs) hold(name string) bool {
	return slices.ContainsFunc(d, func(dir string) bool { return strings.HasPrefix(name, dir) })
}

// add lays one overlay: first the files that replace or come new, then the patches.
func (l layers) add(files []bundle.File, overlay string) error {
	dir := path.Join(overlaysDir, overlay) + "/"
	if overlay == "" || !strings.HasPrefix(dir, overlaysDir) || dir == overlaysDir || path.IsAbs(overlay) {
		return manifest.NewFault(overlaysDir+overlay, 0, manifest.PathRefused, "yaml.overlays: %q is not a directory under overlays/", overlay)
	}
	found := false
	var patches []bundle.File
	for _, f := range files {
		name, below := strings.CutPrefix(f.Path, dir)
		found = found || below
		switch {
		case !below || !IsManifest(name):
		case strings.Contains(path.Base(name), patchMark):
			patches = append(patches, f)
		default:
			l[name] = &source{name: name, file: f.Path, data: f.Data}
		}
	}
	if !found {
		return manifest.NewFault(strings.TrimSuffix(dir, "/"), 0, manifest.InvalidOption, "yaml.overlays: there is no such directory in the bundle")
	}
	return l.addPatches(patches, dir)
}

func (l layers) addPatches(patches []bundle.File, dir string) error {
	slices.SortFunc(patches, func(a, b bundle.File) int { return strings.Compare(a.Path, b.Path) })
	for _, p := range patches {
		name := strings.TrimPrefix(p.Path, dir)
		target := path.Join(path.Dir(name), strings.Replace(path.Base(name), patchMark, ".", 1))
		s, ok := l[target]
		if !ok {
			return manifest.NewFault(p.Path, 0, manifest.InvalidOption, "the overlay patches %s, which is not in the bundle", target)
		}
		s.patches = append(s.patches, p)
	}
	return nil
}
