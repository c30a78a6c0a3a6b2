package distribution

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

// freshContent is what was rendered now, and is stored only if it is wanted.
type freshContent struct {
	mu    sync.Mutex // guards items
	items map[content.ID]freshItem
}

type freshItem struct {
	blob  content.Blob
	index index
}

func (f *freshContent) add(item freshItem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.items == nil {
		f.items = map[content.ID]freshItem{}
	}
	f.items[item.blob.ID] = item
}

func (f *freshContent) index(id content.ID) (index, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	item, ok := f.items[id]
	return item.index, ok
}

// blobsOf are those of the items that are wanted and not stored, in order of their ids.
func (f *freshContent) blobsOf(w Wants, stored func(content.ID) bool) []content.Blob {
	f.mu.Lock()
	defer f.mu.Unlock()
	var blobs []content.Blob
	for _, id := range w.Contents() {
		if item, ok := f.items[id]; ok && !stored(id) {
			blobs = append(blobs, item.blob)
		}
	}
	return blobs
}

// draws are the rows of one bundle with one key, and what was rendered for them.
type draws struct {
	rows     []row
	outcomes []Outcome // of rows
	// shared are results that any of the rows may take whose cluster gives the same answers.
	shared []drawn
	// alone are rows with volatile values, to be drawn for them alone.
	alone []int
}

// drawn is one render: a variant, or why there is none.
type drawn struct {
	variant Variant
	problem error
	answers map[string]string
	// facts of the cluster it was rendered for, where the answers of a failed render are not known.
	facts string
}

// suits tells whether a cluster with these facts would be given the same.
func (r drawn) suits(f renderer.Facts) bool {
	if r.facts != "" {
		return r.facts == factsDigest(f)
	}
	return f.Agrees(r.answers)
}

// renderWork gives every row its content. Rows with one key share a render as
// long as their clusters give the same answers; a stored variant that fits is
// taken as it is. Keys are rendered side by side.
func (d *Deployer) renderWork(ctx context.Context, w *work) error {
	byKey := map[string]*draws{}
	var all []*draws
	for _, r := range w.rows {
		if r.Err != nil {
			continue
		}
		g := byKey[r.key]
		if g == nil {
			g = &draws{}
			byKey[r.key], all = g, append(all, g)
		}
		g.rows = append(g.rows, r)
	}
	w.shareStored(byKey)
	var group errgroup.Group
	group.SetLimit(parallelRenders)
	for _, g := range all {
		group.Go(func() error { return d.renderKey(ctx, w, g) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("render bundle %s: %w", w.key(), err)
	}
	w.collect(byKey)
	return nil
}

// collect puts the outcomes in order of their clusters.
func (w *work) collect(byKey map[string]*draws) {
	next := map[string]int{}
	for _, r := range w.rows {
		if r.Err != nil {
			w.outcomes = append(w.outcomes, Outcome{Cluster: r.cluster(), Err: r.Err})
			continue
		}
		w.outcomes = append(w.outcomes, byKey[r.key].outcomes[next[r.key]])
		next[r.key]++
	}
}

// sameFiles tells whether files and spec are those that the stored variants were rendered from.
func (w *work) sameFiles() bool {
	before, _, _ := strings.Cut(w.status.ObservedInputs, ".")
	return before == w.files
}

// shareStored offers the stored variants to all rows with their key, if files
// and spec are as they were. What was drawn for one cluster stays with it.
func (w *work) shareStored(byKey map[string]*draws) {
	if !w.sameFiles() {
		return
	}
	current := w.previous.current()
	for i, v := range w.previous.Variants {
		if g := byKey[v.Options]; g != nil && !v.Volatile() && current[i] {
			g.shared = append(g.shared, drawn{variant: v, answers: v.Answers})
		}
	}
}

// renderKey renders for the rows of one key, in a fixed order, so that who
// shares with whom never depends on what is faster.
func (d *Deployer) renderKey(ctx context.Context, w *work, g *draws) error {
	g.outcomes = make([]Outcome, len(g.rows))
	for _, i := range w.order(g) {
		r := g.rows[i]
		g.outcomes[i].Cluster = r.cluster()
		if v, want, had := w.previous.VariantOf(r.cluster()); had && !want.Stale && w.sameFiles() && w.fits(v, r) {
			g.outcomes[i].Variant = v
			continue
		}
		result, err := d.sharedBy(ctx, w, g, r)
		if err != nil {
			return err
		}
		g.outcomes[i].Variant, g.outcomes[i].Err = result.variant, result.problem
		if result.variant.Volatile() && !w.keeps(r, result.variant) {
			g.alone = append(g.alone, i)
		}
	}
	return d.renderAlone(ctx, w, g)
}

// keeps tells whether a cluster has content of this identity already: then it
// keeps those bytes, and what was drawn now is not used.
func (w *work) keeps(r row, v Variant) bool {
	old, _, had := w.previous.VariantOf(r.cluster())
	return had && old.Identity == v.Identity
}

// sharedBy finds a result that suits the row's cluster, rendering one if there is none.
func (d *Deployer) sharedBy(ctx context.Context, w *work, g *draws, r row) (drawn, error) {
	facts := w.facts[r.cluster()]
	for _, s := range g.shared {
		if s.suits(facts) {
			return s, nil
		}
	}
	result, err := d.renderRow(ctx, w, r, "")
	if err == nil {
		g.shared = append(g.shared, result)
	}
	return result, err
}

// renderAlone draws volatile values anew for each cluster that needs some: two
// clusters never share a password.
func (d *Deployer) renderAlone(ctx context.Context, w *work, g *draws) error {
	var group errgroup.Group
	group.SetLimit(parallelRenders)
	for _, i := range g.alone {
		group.Go(func() error {
			result, err := d.renderRow(ctx, w, g.rows[i], g.rows[i].cluster())
			g.outcomes[i].Variant, g.outcomes[i].Err = result.variant, result.problem
			return err
		})
	}
	return group.Wait()
}

// renderRow renders for a row, for its cluster alone if that is named. What
// could not be tried for one row is not tried for the others of its key now; an
// error says that there is no time left.
func (d *Deployer) renderRow(ctx context.Context, w *work, r row, cluster string) (drawn, error) {
	facts := w.facts[r.cluster()]
	in := renderer.Inputs{
		Bundle: w.desired.Bundle.Name, Kind: w.kindOf(r), Files: w.inputs.Files,
		Options: r.Options, Context: r.Context, Facts: facts, Cluster: cluster,
	}
	if r.hub != nil {
		in.HubValues, in.Copied = r.hub.values, r.hub.copied
	}
	item, err := d.item(ctx, w, in)
	var problem *renderer.Problem
	if errors.As(err, &problem) {
		return failedDraw(in, problem), nil
	}
	if err != nil && ctx.Err() == nil {
		return drawn{problem: &untried{words: cmp.Or(w.retry.words, err.Error())}}, nil
	}
	if err != nil {
		return drawn{}, err
	}
	item.Options.NamespaceSelector = r.NamespaceSelector
	variant, err := w.keep(item, r.key)
	return drawn{variant: variant, answers: item.Answers}, err
}

// failedDraw is a render that did not succeed. Where it is not known what had
// been asked by then, other facts might help; but a limit that was hit once is
// not tried for every cluster.
func failedDraw(in renderer.Inputs, problem *renderer.Problem) drawn {
	failed := drawn{problem: problem, answers: problem.Answers}
	if in.Kind == bundle.KindHelm && problem.Answers == nil && !problem.IsLimit() {
		failed.facts = factsDigest(in.Facts)
	}
	return failed
}

// keep remembers an item until it is known whether it is wanted.
func (w *work) keep(item content.Item, key string) (Variant, error) {
	data, id, err := item.Encode()
	if err != nil {
		return Variant{}, err
	}
	identity, err := renderer.Identity(item)
	if err != nil {
		return Variant{}, err
	}
	w.fresh.add(freshItem{
		blob:  content.Blob{Kind: item.Kind, ID: id, Identity: identity, Data: data},
		index: indexOf(item),
	})
	return Variant{Content: id, Identity: identity, Options: key, Answers: item.Answers}, nil
}

// item renders, or wraps what only the cluster can render.
func (d *Deployer) item(ctx context.Context, w *work, in renderer.Inputs) (content.Item, error) {
	if reason := renderer.Late(in.Files, in.Options); reason != "" {
		return w.sourceItem(in, reason)
	}
	return d.Render(ctx, in)
}

// sourceItem is content that the cluster renders by itself.
func (w *work) sourceItem(in renderer.Inputs, reason string) (content.Item, error) {
	source := content.Source{
		Renderer: string(in.Kind), Inputs: w.inputsID, HubValues: in.HubValues, Copied: in.Copied, Reason: reason,
	}
	var err error
	if source.Options, err = json.Marshal(in.Options); err != nil {
		return content.Item{}, fmt.Errorf("encode the options of bundle %s: %w", in.Bundle, err)
	}
	if in.Context != nil {
		if source.Context, err = json.Marshal(in.Context); err != nil {
			return content.Item{}, fmt.Errorf("encode the context of bundle %s: %w", in.Bundle, err)
		}
	}
	item := content.Item{
		Version: content.Version, Kind: content.KindSource, Bundle: in.Bundle, Options: renderer.ContentOptions(in), Source: &source,
	}
	// What the cluster knows of itself it asks itself; its labels are known here only.
	if in.Kind == bundle.KindHelm && w.readsLabels() {
		source.Labels = in.Facts.Labels
		item.Answers = map[string]string{questionLabels: in.Facts.Answer(questionLabels)}
	}
	return item, nil
}
