package cli

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/targets"
)

// workshop renders what a fleet's clusters get, several at a time and told in order.
type workshop struct {
	fleet   *fleet
	render  renderer.Renderer
	charts  *chartSource
	facts   renderer.Facts // of flags; they win over those of the inventory
	workers int
	close   func()
}

// newWorkshop starts a pool of render processes; close ends it.
func newWorkshop(f *fleet, flags renderFlags, charts *chartSource) (*workshop, error) {
	workers := flags.Workers
	if workers <= 0 {
		workers = min(runtime.GOMAXPROCS(0), 4)
	}
	pool, err := renderer.New(renderer.Options{Files: true, Workers: workers})
	if err != nil {
		return nil, err
	}
	return &workshop{
		fleet: f, render: pool.Render, charts: charts, workers: workers, close: pool.Close,
		facts: renderer.Facts{KubeVersion: flags.KubeVersion, APIVersions: flags.APIVersions},
	}, nil
}

// piece is one bundle for one cluster.
type piece struct {
	bundle   *bundle.Bundle
	decision decision
}

// made is what came of a piece: content, or why there is none.
type made struct {
	piece
	item content.Item
	err  error
}

// pieces are all pairs that match, or whose match fails; by bundle, then cluster.
func (f *fleet) pieces(bundles []*bundle.Bundle) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for _, b := range bundles {
			t := f.targeting(b)
			for _, c := range f.inventory.clusters {
				d := t.resolve(c)
				if (d.Err != nil || d.Matched) && !yield(piece{b, d}) {
					return
				}
			}
		}
	}
}

// byName are the bundles that could be read.
func (f *fleet) byName() []*bundle.Bundle {
	var all []*bundle.Bundle
	for i := range f.read.Bundles {
		all = append(all, &f.read.Bundles[i])
	}
	slices.SortFunc(all, func(a, b *bundle.Bundle) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// each renders all pieces and hands them to use in their order.
func (w *workshop) each(ctx context.Context, pieces iter.Seq[piece], use func(made) error) error {
	return inOrder(ctx, 4*w.workers, pieces, w.one, use)
}

// one renders a piece.
func (w *workshop) one(ctx context.Context, p piece) made {
	item, err := w.item(ctx, p)
	var problem *renderer.Problem
	if errors.As(err, &problem) && problem.Code == manifest.DecidedOnCluster {
		err = &elsewhere{"on the cluster", problem.Message}
	}
	return made{p, item, err}
}

func (w *workshop) item(ctx context.Context, p piece) (content.Item, error) {
	if p.decision.Err != nil {
		return content.Item{}, p.decision.Err
	}
	in := inputsFor(p.bundle, p.decision, w.factsOf(p.decision.cluster))
	if err := w.fleet.inventory.objects.fill(&in, w.fleet.workspaceOf(p.decision.cluster)); err != nil {
		return content.Item{}, err
	}
	files, err := w.charts.files(ctx, in.Files, in.Options)
	if err != nil {
		return content.Item{}, err
	}
	in.Files = files
	return w.render(ctx, in)
}

// factsOf are what charts see of a cluster.
func (w *workshop) factsOf(c targets.Cluster) renderer.Facts {
	facts := w.fleet.inventory.facts[c.Key()]
	if w.facts.KubeVersion != "" {
		facts.KubeVersion = w.facts.KubeVersion
	}
	if len(w.facts.APIVersions) > 0 {
		facts.APIVersions = w.facts.APIVersions
	}
	facts.Labels = c.Labels
	return facts
}

// inputsFor are what the hub would render.
func inputsFor(b *bundle.Bundle, d decision, facts renderer.Facts) renderer.Inputs {
	return renderer.Inputs{
		Bundle: b.Name, Kind: bundle.KindOf(b.Files, d.Options), Files: b.Files,
		Options: d.Options, Context: d.Context, Facts: facts,
	}
}
