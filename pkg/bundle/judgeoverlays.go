package bundle

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// judgeOverlays holds the names of overlays against the directories that are
// there, in the bundle's own part and in each customization; kinds are in that order.
func (r *reading) judgeOverlays(files []File, kinds []Kind) {
	r.overlays = map[string]bool{}
	dirs := overlayDirs(files)
	known := map[string]bool{}
	for _, dir := range dirs {
		for ; dir != "." && !known[dir]; dir = path.Dir(dir) {
			known[dir] = true
		}
	}
	r.judgeOverlay("", r.options.YAML, dirs, known, kinds[0])
	for i, c := range r.options.TargetCustomizations {
		r.judgeOverlay(fmt.Sprintf("targetCustomizations[%d].", i), c.YAML, dirs, known, kinds[i+1])
	}
}

func (r *reading) judgeOverlay(prefix string, y *v1alpha1.YAMLOptions, dirs []string, known map[string]bool, kind Kind) {
	if y == nil || len(y.Overlays) == 0 {
		return
	}
	key := prefix + "yaml.overlays"
	if kind != KindRaw {
		r.add(warningAt(r.at(key), CodeNoEffect, key+" has no effect: overlays are for plain manifests, and this is rendered by "+string(kind)))
		return
	}
	for i, name := range y.Overlays {
		r.overlays[name] = true
		if known[name] {
			continue
		}
		if r.full() {
			return
		}
		at := fmt.Sprintf("%s[%d]", key, i)
		p := errorAt(r.at(at), CodePathNotFound, fmt.Sprintf("%s: there is no directory %.200q in %s", at, name, path.Join(r.c.dir, overlaysDir)))
		p.Suggestion = suggestDir(name, dirs)
		r.add(p)
	}
}

// overlayDirs are the directories below overlays/, sorted.
func overlayDirs(files []File) []string {
	var dirs []string
	for _, f := range files {
		if rest, below := strings.CutPrefix(f.Path, overlaysDir); below && path.Dir(rest) != "." {
			dirs = append(dirs, path.Dir(rest))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// inOverlays tells whether a file is part of one of the overlays.
func inOverlays(names map[string]bool, file string) bool {
	for name := range names {
		if strings.HasPrefix(file, overlaysDir+name+"/") {
			return true
		}
	}
	return false
}
