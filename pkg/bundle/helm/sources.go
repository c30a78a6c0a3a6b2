package helm

import (
	"cmp"
	"slices"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/muster-dev/muster/pkg/bundle"
)

// Source is the text of a template and where people find it.
type Source struct {
	File string
	Text string
}

// Sources are the templates and partials of a release's chart and of all charts
// in it, as they are before anything is executed.
func Sources(files []bundle.File, r Release) ([]Source, error) {
	c, err := load(files, r)
	if err != nil {
		return nil, err
	}
	var sources []Source
	var visit func(*chart.Chart)
	visit = func(part *chart.Chart) {
		for _, f := range part.Templates {
			sources = append(sources, Source{File: c.places[f], Text: string(f.Data)})
		}
		for _, d := range part.Dependencies() {
			visit(d)
		}
	}
	visit(c.Chart)
	slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(a.File, b.File) })
	return sources, nil
}
