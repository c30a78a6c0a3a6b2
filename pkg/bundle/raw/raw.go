package raw

import (
	"path"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// Options of Render whose zero value works.
type Options struct {
	// Overlays are directories under overlays/ that are laid over the bundle, in order.
	Overlays []string
	// MaxObjects bounds the result; 0 means no bound.
	MaxObjects int
	// Progress is told each file before it is read; may be nil.
	Progress func(file string)
}

// Render returns the objects of every manifest file of a bundle.
func Render(files []bundle.File, opts Options) ([]manifest.Object, error) {
	sources, err := lay(files, opts.Overlays)
	if err != nil {
		return nil, err
	}
	var objects []manifest.Object
	for _, s := range sources {
		found, err := s.objects(opts)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
		if opts.MaxObjects > 0 && len(objects) > opts.MaxObjects {
			return nil, manifest.NewFault(s.file, 0, manifest.LimitExceeded, "more than %d objects in the bundle", opts.MaxObjects)
		}
	}
	return objects, nil
}

// objects reads one file and patches it.
func (s *source) objects(opts Options) ([]manifest.Object, error) {
	opts.tell(s.file)
	limit := manifest.Options{MaxObjects: opts.MaxObjects}
	if len(s.patches) == 0 {
		return manifest.Decode(s.file, s.data, limit)
	}
	documents, err := manifest.Documents(s.file, s.data)
	if err != nil {
		return nil, err
	}
	for _, p := range s.patches {
		opts.tell(p.Path)
		if documents, err = s.patched(documents, p); err != nil {
			return nil, err
		}
	}
	return manifest.Objects(s.file, documents, limit)
}

func (o Options) tell(file string) {
	if o.Progress != nil {
		o.Progress(file)
	}
}

// IsManifest tells whether a file of a raw bundle is read as manifests.
func IsManifest(name string) bool {
	return !strings.HasPrefix(name, overlaysDir) && !isOptions(path.Base(name)) && hasManifestName(name)
}

func hasManifestName(name string) bool {
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
