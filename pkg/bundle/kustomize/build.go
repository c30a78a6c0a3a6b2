package kustomize

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/openapi"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// ManifestsFile is the resource that holds a chart's output when a bundle has a
// chart and a kustomization (Fleet's name for it).
const ManifestsFile = "fleet-manifests.yaml"

// root of the bundle in the file system kustomize sees.
const root = "/bundle"

// Options of Build whose zero value works.
type Options struct {
	// Dir of the kustomization, relative to the bundle; empty = its root.
	Dir string
	// Manifests are a resource of the kustomization, as ManifestsFile, if there are any.
	Manifests []byte
	// MaxObjects bounds the result; 0 means no bound.
	MaxObjects int
	// Progress is told each file and each kustomization before it is read or built; may be nil.
	Progress func(file string)
}

// Result of a build.
type Result struct {
	Objects []manifest.Object
	// Tainted says that the build changed what this process knows of kinds: the
	// schema that `openapi:` and `crds:` set is global in kustomize.
	Tainted bool
}

// Build builds the kustomization in opts.Dir.
func Build(files []bundle.File, opts Options) (Result, error) {
	dir, err := cleanDir(opts.Dir)
	if err != nil {
		return Result{}, err
	}
	s := newScan(files, opts.Progress)
	if err := s.checkAliases(); err != nil {
		return Result{}, err
	}
	if err := s.addManifests(dir, opts.Manifests); err != nil {
		return Result{}, err
	}
	file, err := s.kustomization(dir, "")
	if err != nil {
		return Result{Tainted: s.tainted}, err
	}
	if s.tainted {
		// The second render of a chart starts from what the first one started from.
		defer openapi.ResetOpenAPI()
	}
	s.tell(file)
	objects, err := build(s.files, dir, file, opts.MaxObjects)
	return Result{Objects: objects, Tainted: s.tainted}, err
}

// Find returns the kustomization file of a directory, "" if there is none.
func Find(files []bundle.File, dir string) string {
	dir, err := cleanDir(dir)
	if err != nil {
		return ""
	}
	return newScan(files, nil).find(dir)
}

func cleanDir(dir string) (string, error) {
	if path.IsAbs(dir) || !inside(path.Clean(dir)) {
		return "", manifest.NewFault("", 0, manifest.PathRefused, "kustomize.dir %q leaves the bundle", dir)
	}
	return path.Clean(dir), nil
}

// inside tells whether a clean relative path stays in the bundle.
func inside(clean string) bool {
	return clean != ".." && !strings.HasPrefix(clean, "../") && !path.IsAbs(clean)
}

func build(files map[string][]byte, dir, file string, maxObjects int) (objects []manifest.Object, err error) {
	defer func() {
		if r := recover(); r != nil {
			objects, err = nil, manifest.NewPanic(file, manifest.RenderFailed, "kustomize gave up: %s", explain(fmt.Sprint(r)))
		}
	}()
	fsys := filesys.MakeFsInMemory()
	for name, data := range files {
		if err := fsys.WriteFile(path.Join(root, name), data); err != nil {
			return nil, manifest.NewFault(name, 0, manifest.RenderFailed, "%v", err)
		}
	}
	kustomizer := krusty.MakeKustomizer(&krusty.Options{
		Reorder:          krusty.ReorderOptionNone,
		LoadRestrictions: types.LoadRestrictionsRootOnly,
		PluginConfig:     types.DisabledPluginConfig(),
	})
	built, err := kustomizer.Run(fsys, path.Join(root, dir))
	if err != nil {
		return nil, manifest.NewFault(file, 0, manifest.RenderFailed, "%s", explain(err.Error()))
	}
	if maxObjects > 0 && built.Size() > maxObjects {
		return nil, manifest.NewFault(file, 0, manifest.LimitExceeded, "%d objects, at most %d are allowed", built.Size(), maxObjects)
	}
	for _, resource := range built.Resources() {
		data, err := resource.MarshalJSON()
		if err != nil {
			return nil, manifest.NewFault(file, 0, manifest.RenderFailed, "%s: %s", resource.CurId(), explain(err.Error()))
		}
		o, err := manifest.FromJSON(file, data)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// pieces of documents in kustomize's errors.
var pieces = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?s)node contents:.*`), ""},
	{regexp.MustCompile("(?s)with config: `.*?`"), ""},
	{regexp.MustCompile(`(?s)from \[patch: .*\]`), ""},
	{regexp.MustCompile(`(?s)literal sources \[.*?\]: `), ""},
	{regexp.MustCompile(`(?s)(invalid literal source ).*(, expected)`), "$1(value)$2"},
	{regexp.MustCompile(`(?s)(invalid utf8 bytes).*`), "$1"},
	{regexp.MustCompile(regexp.QuoteMeta(root) + `/?`), "./"},
}

// explain makes kustomize's errors fit to be shown: paths as in the bundle, and
// no pieces of documents, which may hold values.
func explain(text string) string {
	for _, p := range pieces {
		text = p.pattern.ReplaceAllString(text, p.instead)
	}
	return strings.Join(strings.Fields(text), " ")
}
