package helm

import (
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/ignore"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// fetchedDir is above the archives that were added to a bundle's files; they are no files of a chart.
const fetchedDir = ".muster/"

// loaded is a chart with its dependencies, and where it lies.
type loaded struct {
	*chart.Chart
	// place of the chart: its directory or archive in the bundle ("." for the
	// root), or for one that was fetched a name that people recognise.
	place string
	// places of its files in the bundle.
	places map[*chart.File]string
	// templates are the places by the names the engine gives them; see settle.
	templates map[string]string
}

// load finds the chart a release names and completes it with its dependencies.
func load(files []bundle.File, r Release) (*loaded, error) {
	from := newReader()
	c := &loaded{places: from.places}
	var err error
	if ref, remote := r.remote(); remote {
		c.place = fetchedName(ref)
		c.Chart, err = from.fetched(files, ref, c.place)
	} else {
		err = c.local(from, files, r)
	}
	if err != nil || r.DisableDependencyUpdate {
		return c, err
	}
	return c, c.checkDependencies()
}

// remote is the chart's reference if it comes from outside of the bundle.
func (r Release) remote() (bundle.ChartRef, bool) {
	return bundle.RemoteChart(v1alpha1.BundleOptions{Helm: &v1alpha1.HelmOptions{Chart: &r.Chart, Repo: &r.Repo, Version: &r.Version}})
}

// fetchedName is what faults call a fetched chart: the archive's path among the
// files is a digest.
func fetchedName(ref bundle.ChartRef) string {
	name := strings.TrimSuffix(path.Base(ref.Chart), ".tgz")
	if ref.Version != "" {
		name += "-" + ref.Version
	}
	return manifest.Clean(name) + ".tgz"
}

// fetched reads a chart's archive that was added to the files.
func (r *reader) fetched(files []bundle.File, ref bundle.ChartRef, place string) (*chart.Chart, error) {
	data, found := find(files, ref.File())
	if !found {
		return nil, manifest.NewFault("", 0, manifest.RemoteRefused, "chart %s was not fetched, and nothing is fetched while rendering", refText(ref))
	}
	return r.archive(place, data, 0)
}

func refText(ref bundle.ChartRef) string {
	text := ref.Chart
	if ref.Version != "" {
		text += " " + ref.Version
	}
	if ref.Repo != "" {
		text += " from " + ref.Repo
	}
	return text
}

func find(files []bundle.File, name string) ([]byte, bool) {
	i := slices.IndexFunc(files, func(f bundle.File) bool { return f.Path == name })
	if i < 0 {
		return nil, false
	}
	return files[i].Data, true
}

// local reads a chart's directory or archive in the bundle.
func (c *loaded) local(from *reader, files []bundle.File, r Release) (err error) {
	if scheme, _, found := strings.Cut(r.Chart, "://"); found {
		return manifest.NewFault("", 0, manifest.InvalidOption, "helm.chart: charts are not read from %s://", scheme)
	}
	c.place = path.Clean(strings.TrimLeft(r.Chart, "/"))
	if c.place == ".." || strings.HasPrefix(c.place, "../") {
		return manifest.NewFault("", 0, manifest.PathRefused, "helm.chart %q leaves the bundle", r.Chart)
	}
	if data, found := find(files, c.place); found {
		c.Chart, err = from.archive(c.place, data, 0)
		return err
	}
	c.Chart, err = from.directory(files, c.place, 0)
	if err != nil || r.DisableDependencyUpdate {
		return err
	}
	return c.complete(from, files)
}

// directory reads the chart in a directory of the bundle.
func (r *reader) directory(files []bundle.File, dir string, depth int) (*chart.Chart, error) {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	var all []*loader.BufferedFile
	for _, f := range files {
		if name, below := strings.CutPrefix(f.Path, prefix); below && !strings.HasPrefix(f.Path, fetchedDir) {
			all = append(all, &loader.BufferedFile{Name: name, Data: f.Data})
		}
	}
	kept, err := withoutIgnored(all)
	if err != nil {
		return nil, manifest.NewFault(path.Join(dir, ignore.HelmIgnore), 0, manifest.RenderFailed, "%v", err)
	}
	return r.tree(dir, kept, depth)
}

// in is the bundle path of a file of the chart.
func (c *loaded) in(name string) string { return path.Join(c.place, name) }

// settle learns the names that the engine gives to templates, once subcharts
// have the names they are used by.
func (c *loaded) settle() {
	c.templates = map[string]string{}
	var visit func(*chart.Chart)
	visit = func(part *chart.Chart) {
		for _, f := range slices.Concat(part.Templates, part.Files) {
			c.templates[path.Join(part.ChartFullPath(), f.Name)] = c.places[f]
		}
		for _, d := range part.Dependencies() {
			visit(d)
		}
	}
	visit(c.Chart)
}

// file turns the engine's name of a template, <chart>/templates/x, into a bundle path.
func (c *loaded) file(name string) string {
	if place, known := c.templates[name]; known {
		return place
	}
	_, rest, ok := strings.Cut(name, "/")
	if !ok {
		return c.in(name)
	}
	return c.in(rest)
}

func (c *loaded) fault(file, code, format string, args ...any) *manifest.Fault {
	return manifest.NewFault(c.in(file), 0, code, format, args...)
}
