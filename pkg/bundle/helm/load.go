package helm

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/ignore"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// loaded is a chart and where it lies in the bundle.
type loaded struct {
	*chart.Chart
	// dir of the chart in the bundle; "." for its root.
	dir string
	// archive it was read from, "" for a directory.
	archive string
}

// load finds the chart in the bundle.
func load(files []bundle.File, location string) (*loaded, error) {
	if strings.Contains(location, "://") {
		return nil, manifest.NewFault("", 0, manifest.NotSupportedYet, "not supported yet: helm.chart from %s; commit the chart to the repository", scheme(location))
	}
	at := path.Clean(strings.TrimPrefix(location, "./"))
	if path.IsAbs(location) || at == ".." || strings.HasPrefix(at, "../") {
		return nil, manifest.NewFault("", 0, manifest.PathRefused, "helm.chart %q leaves the bundle", location)
	}
	for _, f := range files {
		if f.Path == at {
			return loadArchive(f)
		}
	}
	return loadDirectory(files, at)
}

func scheme(location string) string {
	s, _, _ := strings.Cut(location, "://")
	return s + "://"
}

func loadArchive(f bundle.File) (*loaded, error) {
	inside, err := loader.LoadArchiveFiles(bytes.NewReader(f.Data))
	if err != nil {
		return nil, manifest.NewFault(f.Path, 0, manifest.RenderFailed, "read chart archive: %v", err)
	}
	c := &loaded{dir: f.Path, archive: f.Path}
	return c, c.fill(inside)
}

func loadDirectory(files []bundle.File, dir string) (*loaded, error) {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	var all []*loader.BufferedFile
	for _, f := range files {
		if name, below := strings.CutPrefix(f.Path, prefix); below {
			all = append(all, &loader.BufferedFile{Name: name, Data: f.Data})
		}
	}
	c := &loaded{dir: dir}
	kept, err := withoutIgnored(all)
	if err != nil {
		return nil, manifest.NewFault(path.Join(dir, ".helmignore"), 0, manifest.RenderFailed, "%v", err)
	}
	return c, c.fill(kept)
}

// fill parses the chart's files, after their aliases were counted.
func (c *loaded) fill(files []*loader.BufferedFile) error {
	found := false
	for _, f := range files {
		found = found || f.Name == "Chart.yaml"
		if isYAML(f.Name) {
			if err := manifest.CheckNestedAliases(c.in(f.Name), f.Data); err != nil {
				return err
			}
		}
	}
	if !found {
		return manifest.NewFault(c.in("Chart.yaml"), 0, manifest.InvalidOption, "no chart here: Chart.yaml is missing")
	}
	parsed, err := loader.LoadFiles(files)
	if err != nil {
		return c.loadFault(err)
	}
	if parsed.Metadata == nil {
		return manifest.NewFault(c.in("Chart.yaml"), 0, manifest.RenderFailed, "the chart has no metadata")
	}
	c.Chart = parsed
	return nil
}

func isYAML(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml" || ext == ".lock" || ext == ".json"
}

// loadFault names the file of a loader's error: "cannot load values.yaml: ...".
func (c *loaded) loadFault(err error) error {
	text := err.Error()
	file := "Chart.yaml"
	if rest, ok := strings.CutPrefix(text, "cannot load "); ok {
		if name, after, found := strings.Cut(rest, ": "); found {
			file, text = name, after
		}
	}
	fault := manifest.YAMLFault(c.in(file), fmt.Errorf("%s", text))
	fault.Code = manifest.RenderFailed
	return fault
}

// in is the bundle path of a file of the chart.
func (c *loaded) in(name string) string {
	if c.archive != "" {
		return c.archive + "/" + name
	}
	return path.Join(c.dir, name)
}

// file turns the engine's name of a template, <chart>/templates/x, into a bundle path.
func (c *loaded) file(name string) string {
	_, rest, ok := strings.Cut(name, "/")
	if !ok {
		return c.in(name)
	}
	return c.in(rest)
}

func (c *loaded) fault(file, code, format string, args ...any) *manifest.Fault {
	return manifest.NewFault(c.in(file), 0, code, format, args...)
}

// withoutIgnored follows .helmignore as Helm does for directories.
func withoutIgnored(files []*loader.BufferedFile) ([]*loader.BufferedFile, error) {
	rules := ignore.Empty()
	for _, f := range files {
		if f.Name != ignore.HelmIgnore {
			continue
		}
		parsed, err := ignore.Parse(bytes.NewReader(f.Data))
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", ignore.HelmIgnore, err)
		}
		rules = parsed
	}
	rules.AddDefaults()
	var kept []*loader.BufferedFile
	for _, f := range files {
		if !ignored(rules, f.Name) {
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// ignored asks for the file and every directory above it: Helm does not enter an ignored one.
func ignored(rules *ignore.Rules, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if rules.Ignore(dir, entry{path.Base(dir), fs.ModeDir}) {
			return true
		}
	}
	return rules.Ignore(name, entry{path.Base(name), 0})
}

// entry is what ignore rules look at of a file.
type entry struct {
	name string
	mode fs.FileMode
}

var _ fs.FileInfo = entry{}

func (e entry) Name() string       { return e.name }
func (e entry) Size() int64        { return 0 }
func (e entry) Mode() fs.FileMode  { return e.mode }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool        { return e.mode.IsDir() }
func (e entry) Sys() any           { return nil }

// checkDependencies wants every dependency in charts/: nothing is downloaded.
func (c *loaded) checkDependencies() error {
	have := map[string]bool{}
	for _, d := range c.Dependencies() {
		have[d.Name()] = true
	}
	for _, want := range c.Metadata.Dependencies {
		if want != nil && !have[want.Name] {
			return c.fault("Chart.yaml", manifest.NotSupportedYet, "dependency %s is not in charts/, and downloading dependencies is not supported yet: run `helm dependency build` and commit charts/", want.Name)
		}
	}
	return nil
}
