package raw

import (
	"path"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// Options of Render whose zero value works.
type Options struct {
	// MaxObjects bounds the result; 0 means no bound.
	MaxObjects int
	// Progress is told each file before it is read; may be nil.
	Progress func(file string)
}

// Render returns the objects of every manifest file of a bundle.
func Render(files []bundle.File, opts Options) ([]manifest.Object, error) {
	var objects []manifest.Object
	for _, f := range files {
		if !IsManifest(f.Path) {
			continue
		}
		if opts.Progress != nil {
			opts.Progress(f.Path)
		}
		found, err := manifest.Decode(f.Path, f.Data, manifest.Options{MaxObjects: opts.MaxObjects})
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
		if opts.MaxObjects > 0 && len(objects) > opts.MaxObjects {
			return nil, manifest.NewFault(f.Path, 0, manifest.LimitExceeded, "more than %d objects in the bundle", opts.MaxObjects)
		}
	}
	return objects, nil
}

// IsManifest tells whether a file of a raw bundle is read as manifests.
func IsManifest(name string) bool {
	if strings.HasPrefix(name, "overlays/") || isOptions(path.Base(name)) {
		return false
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// isOptions is true for what belongs to Fleet and Muster, not to a cluster.
func isOptions(base string) bool {
	return base == "fleet.yaml" || base == "fleet.yml" || base == ".fleetignore"
}
