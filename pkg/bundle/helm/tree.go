package helm

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// reader parses a chart and the charts in it. It takes Helm's loader's place
// for charts/ so that every archive is bounded before it is unpacked and every
// template keeps the place in the bundle that it came from.
type reader struct {
	room *room
	// places of templates and other files in the bundle.
	places map[*chart.File]string
}

func newReader() *reader { return &reader{room: newRoom(), places: map[*chart.File]string{}} }

// tree parses the files of a chart that lies at a place in the bundle.
func (r *reader) tree(place string, files []*loader.BufferedFile, depth int) (*chart.Chart, error) {
	if depth > maxChartDepth {
		return nil, manifest.NewFault(place, 0, manifest.LimitExceeded, "charts nested more than %d deep", maxChartDepth)
	}
	own, inside := splitCharts(files)
	c, err := r.parse(place, own)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		child, err := r.inside(path.Join(place, "charts", name), inside[name], depth+1)
		if err != nil {
			return nil, err
		}
		c.AddDependency(child)
	}
	return c, nil
}

// splitCharts parts a chart's own files from those in charts/, by the first
// part of their names there. What begins with a dot or underscore is passed over, as by Helm.
func splitCharts(files []*loader.BufferedFile) (own []*loader.BufferedFile, inside map[string][]*loader.BufferedFile) {
	inside = map[string][]*loader.BufferedFile{}
	for _, f := range files {
		rest, below := strings.CutPrefix(f.Name, "charts/")
		if !below || path.Ext(f.Name) == ".prov" {
			own = append(own, f)
			continue
		}
		name, within, _ := strings.Cut(rest, "/")
		if !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "_") {
			inside[name] = append(inside[name], &loader.BufferedFile{Name: within, Data: f.Data})
		}
	}
	return own, inside
}

// inside reads an entry of charts/: an archive, or a directory.
func (r *reader) inside(place string, files []*loader.BufferedFile, depth int) (*chart.Chart, error) {
	if path.Ext(place) == ".tgz" && len(files) == 1 && files[0].Name == "" {
		return r.archive(place, files[0].Data, depth)
	}
	files = slices.DeleteFunc(files, func(f *loader.BufferedFile) bool { return f.Name == "" })
	return r.tree(place, files, depth)
}

func (r *reader) archive(place string, data []byte, depth int) (*chart.Chart, error) {
	files, err := r.room.unpack(place, data)
	if err != nil {
		return nil, err
	}
	return r.tree(place, files, depth)
}

// parse has Helm parse a chart's own files, after their aliases were counted.
func (r *reader) parse(place string, files []*loader.BufferedFile) (*chart.Chart, error) {
	found := false
	for _, f := range files {
		found = found || f.Name == "Chart.yaml"
		f.Data = bytes.TrimPrefix(f.Data, bom)
		if err := check(path.Join(place, f.Name), f); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, manifest.NewFault(path.Join(place, "Chart.yaml"), 0, manifest.InvalidOption, "no chart here: Chart.yaml is missing")
	}
	parsed, err := loader.LoadFiles(files)
	if err != nil {
		return nil, loadFault(place, err)
	}
	if parsed.Metadata == nil {
		return nil, manifest.NewFault(path.Join(place, "Chart.yaml"), 0, manifest.RenderFailed, "the chart has no metadata")
	}
	for _, f := range slices.Concat(parsed.Templates, parsed.Files) {
		r.places[f] = path.Join(place, f.Name)
	}
	return parsed, nil
}

func check(place string, f *loader.BufferedFile) error {
	if len(f.Data) > maxChartFile {
		return manifest.NewFault(place, 0, manifest.LimitExceeded, "a chart's file may have 5 MiB, as with Helm; this one has %d bytes", len(f.Data))
	}
	if isYAML(f.Name) {
		return manifest.CheckNestedAliases(place, f.Data)
	}
	return nil
}

func isYAML(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml" || ext == ".lock" || ext == ".json"
}

// loadFault names the file of a loader's error: "cannot load values.yaml: ...".
func loadFault(place string, err error) error {
	text := err.Error()
	file := "Chart.yaml"
	if rest, ok := strings.CutPrefix(text, "cannot load "); ok {
		if name, after, found := strings.Cut(rest, ": "); found {
			file, text = name, after
		}
	}
	fault := manifest.YAMLFault(path.Join(place, file), fmt.Errorf("%s", withoutValues(text)))
	fault.Code = manifest.RenderFailed
	return fault
}
