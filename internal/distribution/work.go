package distribution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/rollout"
	"github.com/muster-dev/muster/pkg/status"
)

// work is one bundle on its way through Deploy.
type work struct {
	desired  Desired
	bundle   *v1alpha1.Bundle  // as stored; nil before its first commit
	rollout  *v1alpha1.Rollout // as stored; nil before its first commit
	previous Wants
	inputs   Inputs
	inputsID content.ID
	rows     []row // sorted by cluster
	facts    map[string]renderer.Facts
	classes  map[string]int // of facts, see factBook
	files    string         // names the files and the spec
	observed string
	approve  string
	retry    retry // what is due to be tried again, if the rollout waits

	// readsLabels tells whether the files hold a chart that may read the cluster's labels.
	readsLabels func() bool

	outcomes []Outcome // sorted by cluster
	// receivers of the same change take objects over from this bundle, by workspace/name.
	receivers map[string]*work
	fresh     freshContent
	blobs     []content.Blob
	wants     Wants // next, after guards
	status    v1alpha1.RolloutStatus
}

func (w *work) key() string { return w.desired.Key() }

// prepare gathers one bundle, and returns nil when everything that its wants
// depend on is as it was.
func (d *Deployer) prepare(ctx context.Context, f *fleet, one Desired) (*work, error) {
	w := &work{desired: one, facts: f.facts, classes: f.classes, retry: d.retries.of(one.Key())}
	w.readsLabels = sync.OnceValue(func() bool { return mayReadLabels(w.inputs.Files) })
	var err error
	if w.bundle, err = d.bundle(ctx, keyOf(one.Bundle)); err != nil {
		return nil, err
	}
	if w.bundle != nil && foreign(w.bundle, one.Bundle) {
		return nil, fmt.Errorf("bundle %s: %w", one.Key(), ErrNotOurs)
	}
	if w.bundle != nil && !w.bundle.DeletionTimestamp.IsZero() {
		return nil, nil // Being deleted: a bundle that is going is not revived.
	}
	if w.rollout, err = d.rollout(ctx, one.Bundle.Namespace, one.Bundle.Name); err != nil {
		return nil, err
	}
	if err := d.gatherInputs(ctx, w); err != nil {
		return nil, err
	}
	if w.rollout != nil {
		if w.previous, err = d.Reader.Wants(ctx, one.Bundle.Namespace, w.rollout.Status.Wants); err != nil {
			return nil, err
		}
		w.status = *w.rollout.Status.DeepCopy()
	}
	if w.status.Removing {
		w.previous = Wants{} // It was let go; what comes back is new.
	}
	if err := w.match(f); err != nil {
		return nil, err
	}
	if err := d.addHubInputs(ctx, w); err != nil {
		return nil, err
	}
	if err := w.observe(); err != nil {
		return nil, err
	}
	if w.unchanged(d.now()) {
		d.Composer.CatchUp(ctx, w.rollout, w.bundle)
		return nil, nil
	}
	return w, nil
}

// foreign tells whether the stored Bundle was made by somebody else than the one that is to be.
func foreign(stored, desired *v1alpha1.Bundle) bool {
	return stored.Labels[v1alpha1.LabelGitRepo] != desired.Labels[v1alpha1.LabelGitRepo]
}

func (d *Deployer) gatherInputs(ctx context.Context, w *work) error {
	one := &w.desired
	switch {
	case one.Inputs != nil:
		w.inputs = *one.Inputs
	case one.Bundle.Spec.Inputs != "":
		data, err := d.Store.Get(ctx, one.Bundle.Namespace, content.ID(one.Bundle.Spec.Inputs))
		if err != nil {
			return fmt.Errorf("read the files of bundle %s: %w", one.Key(), err)
		}
		w.inputsID = content.ID(one.Bundle.Spec.Inputs)
		w.inputs, err = DecodeInputs(data)
		return err
	default:
		var err error
		if w.inputs, err = inputsByHand(one.Bundle); err != nil {
			return err
		}
	}
	blob, err := w.inputs.Encode()
	if err != nil {
		return err
	}
	w.inputsID = blob.ID
	if one.Bundle.Spec.Source != nil {
		one.Bundle = one.Bundle.DeepCopy()
		one.Bundle.Spec.Inputs = string(blob.ID)
	}
	if !d.Store.Has(one.Bundle.Namespace, blob.ID) {
		w.blobs = append(w.blobs, blob)
	}
	return nil
}

// inputsByHand reads a hand-made bundle, and refuses what a fleet.yaml would be
// refused for: a key that is read and not acted on yet must not look as if it were.
func inputsByHand(b *v1alpha1.Bundle) (Inputs, error) {
	made, problems := bundle.HandMade(b.Name, b.Spec)
	for _, p := range problems {
		if p.Severity == bundle.Error {
			return Inputs{}, errors.New(status.Locate(p))
		}
	}
	return Inputs{Kind: made.Kind, Files: made.Files}, nil
}

// decide plans the next wants, judges what they would lose, and writes the
// result into the work's status.
func (d *Deployer) decide(ctx context.Context, f *fleet, w *work, others *owners) error {
	planned := PlanWants(d.now(), PlanInput{
		Strategy: rollout.Strategy{All: true}, Generation: d.generation(w), Previous: w.previous, NewFiles: !w.sameFiles(), Outcomes: w.outcomes,
	})
	w.wants = planned.Wants
	baseline, baselineID, err := d.baseline(ctx, w)
	if err != nil {
		return err
	}
	loss, err := measureLoss(lossInput{
		Before: baseline, After: planned.Wants,
		Objects: func(v Variant) (index, error) { return d.index(ctx, w, v.Content) },
		Gone:    func(cluster string) bool { return f.gone(ctx, cluster) },
		OwnedElsewhere: func(cluster string, key content.Key) (bool, error) {
			return others.want(ctx, cluster, key)
		},
		Forgets: w.forgets(),
	})
	if err != nil {
		return fmt.Errorf("weigh what bundle %s would lose: %w", w.key(), err)
	}
	w.receivers = others.receivers
	guarded, err := d.guard(ctx, w, loss, planned, baseline)
	if err != nil {
		return err
	}
	stored := func(id content.ID) bool { return d.Store.Has(w.desired.Bundle.Namespace, id) }
	return w.conclude(planned, guarded, baselineID, w.fresh.blobsOf(guarded.Wants, stored))
}

func (w *work) forgets() bool {
	k := w.desired.Bundle.Spec.KeepResources
	return k != nil && *k
}

// generation continues the stored count, also that of a bundle of the same name
// made before, whose wants are taken over; a ledger that was lost continues
// above every generation that any document carries.
func (d *Deployer) generation(w *work) int64 {
	if w.rollout != nil {
		return w.rollout.Status.Generation
	}
	if w.bundle == nil {
		return 0
	}
	return d.Composer.highestGeneration(string(w.bundle.UID))
}

// baseline is what losses are counted against: what was last Ready or
// approved, else what was wanted.
func (d *Deployer) baseline(ctx context.Context, w *work) (Wants, string, error) {
	if w.rollout == nil || w.rollout.Status.Removing {
		return Wants{}, "", nil
	}
	id := w.rollout.Status.LastGood
	if id == "" || ready(w.bundle, w.rollout) {
		return w.previous, w.rollout.Status.Wants, nil
	}
	wants, err := d.Reader.Wants(ctx, w.desired.Bundle.Namespace, id)
	return wants, id, err
}

func (d *Deployer) guard(ctx context.Context, w *work, loss Loss, planned Planned, baseline Wants) (Guarded, error) {
	in := GuardInput{
		Bundle: "bundle/" + w.desired.Bundle.Name, Loss: loss, OwnAct: w.ownAct(), Planned: planned.Wants,
		Left: leftOf(baseline, planned.Wants), Held: w.status.Holds, Approved: w.status.Approved, Now: d.now(),
	}
	var err error
	if in.ApprovedSets, err = d.approvedSets(ctx, w.desired.Bundle.Namespace, w.status.Approved); err != nil {
		return Guarded{}, err
	}
	if w.bundle != nil {
		in.Approve = w.bundle.Annotations[v1alpha1.AnnotationApprove]
		in.By = w.bundle.Annotations[v1alpha1.AnnotationApprovedBy]
		in.Reason = w.bundle.Annotations[v1alpha1.AnnotationApproveReason]
	}
	return Guard(in)
}

// ownAct tells whether a person's own act is all there is to judge: not if the
// stored Bundle holds something from Git that its Rollout has not followed yet,
// on some cluster or on all.
func (w *work) ownAct() bool {
	interrupted := w.bundle != nil && w.bundle.Spec.Source != nil && w.rollout != nil &&
		w.rollout.Status.BundleGeneration != w.bundle.Generation
	return w.desired.OwnAct && !interrupted && !w.previous.stale()
}

func leftOf(before, after Wants) []string {
	var left []string
	for _, cluster := range sortedClusters(before) {
		if _, still := after.Clusters[cluster]; !still {
			left = append(left, cluster)
		}
	}
	return left
}

func (d *Deployer) approvedSets(ctx context.Context, workspace string, approved []v1alpha1.Approval) (map[string][]string, error) {
	sets := map[string][]string{}
	for _, a := range approved {
		if a.Losses == "" {
			continue
		}
		set, err := d.Reader.Losses(ctx, workspace, a.Losses)
		if errors.Is(err, content.ErrNotFound) {
			continue // What it covered is gone; it covers nothing any more.
		}
		if err != nil {
			return nil, err
		}
		sets[a.Losses] = set
	}
	return sets, nil
}

func (w *work) conclude(planned Planned, g Guarded, baselineID string, fresh []content.Blob) error {
	blob, err := g.Wants.Encode()
	if err != nil {
		return err
	}
	changed := string(blob.ID) != w.status.Wants
	w.blobs = append(w.blobs, fresh...)
	if changed {
		w.blobs = append(w.blobs, blob)
		w.status.LastGood = baselineID
	}
	if g.Released {
		// What was approved is what later losses are counted against.
		w.status.LastGood = string(blob.ID)
		losses, err := LossBlob(g.Losses)
		if err != nil {
			return err
		}
		w.blobs = append(w.blobs, losses)
	}
	w.wants = g.Wants
	w.status.Approved = g.Approved
	w.status.Generation = planned.Generation
	w.status.Wants = string(blob.ID)
	w.status.ObservedInputs = w.conclusion()
	w.status.Clusters = len(g.Wants.Clusters)
	w.status.Removing = false
	w.status.Holds = nil
	w.status.Held = 0
	if g.Hold != nil {
		w.status.Holds = []v1alpha1.Hold{*g.Hold}
		w.status.Held = len(g.Wants.Clusters) + len(g.Wants.HeldClusters)
	}
	w.status.Problems = Problems(w.desired.Bundle, w.outcomes, 20)
	return nil
}

// index of content, just rendered or stored.
func (d *Deployer) index(ctx context.Context, w *work, id content.ID) (index, error) {
	if x, ok := w.fresh.index(id); ok {
		return x, nil
	}
	return d.Reader.index(ctx, w.desired.Bundle.Namespace, id)
}

// objectsOn are what the plan wants on a cluster.
func (w *work) objectsOn(ctx context.Context, d *Deployer, cluster string) ([]Keyed, error) {
	i := sort.Search(len(w.outcomes), func(i int) bool { return w.outcomes[i].Cluster >= cluster })
	if i == len(w.outcomes) || w.outcomes[i].Cluster != cluster {
		return nil, nil
	}
	x, err := d.index(ctx, w, w.outcomes[i].Variant.Content)
	return x.objects, err
}

func has(objects []Keyed, key content.Key) bool {
	return slices.ContainsFunc(objects, func(o Keyed) bool { return o.Key == key })
}
