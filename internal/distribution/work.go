package distribution

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sort"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/rollout"
	"github.com/muster-dev/muster/pkg/status"
	"github.com/muster-dev/muster/pkg/targets"
)

// work is one bundle on its way through Deploy.
type work struct {
	desired  Desired
	bundle   *v1alpha1.Bundle  // as stored; nil before its first commit
	rollout  *v1alpha1.Rollout // as stored; nil before its first commit
	previous Wants
	inputs   Inputs
	matches  []targets.Match
	facts    map[string]renderer.Facts
	observed string
	approve  string

	outcomes []Outcome // sorted by cluster
	// receivers of the same change take objects over from this bundle, by workspace/name.
	receivers map[string]*work
	rendered  map[content.ID][]Keyed
	blobs     []content.Blob
	wants     Wants // next, after guards
	status    v1alpha1.RolloutStatus
}

func (w *work) key() string { return w.desired.Key() }

// prepare gathers one bundle, and returns nil when everything that its wants
// depend on is as it was.
func (d *Deployer) prepare(ctx context.Context, f *fleet, one Desired) (*work, error) {
	w := &work{desired: one, facts: f.facts, rendered: map[content.ID][]Keyed{}}
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
	if w.unchanged() {
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
		if w.inputs, err = DecodeInputs(data); err != nil {
			return err
		}
		return nil
	default:
		inputs, err := InputsFromResources(one.Bundle.Spec.Resources, one.Bundle.Spec.BundleOptions)
		if err != nil {
			return err
		}
		if err := judgeHandMade(one.Bundle); err != nil {
			return err
		}
		w.inputs = inputs
	}
	blob, err := w.inputs.Encode()
	if err != nil {
		return err
	}
	if one.Bundle.Spec.Source != nil {
		one.Bundle = one.Bundle.DeepCopy()
		one.Bundle.Spec.Inputs = string(blob.ID)
	}
	if !d.Store.Has(one.Bundle.Namespace, blob.ID) {
		w.blobs = append(w.blobs, blob)
	}
	return nil
}

// judgeHandMade refuses what a fleet.yaml would be refused for: a key that is
// read and not acted on yet must not look as if it were.
func judgeHandMade(b *v1alpha1.Bundle) error {
	_, problems := bundle.HandMade(b.Name, b.Spec)
	for _, p := range problems {
		if p.Severity == bundle.Error {
			return errors.New(status.Locate(p))
		}
	}
	return nil
}

func (w *work) match(f *fleet) error {
	b := w.desired.Bundle
	compiled, err := targets.Compile(targets.Input{
		Workspace: b.Namespace, Name: b.Name, Spec: b.Spec, HandMade: b.Spec.Source == nil,
	})
	if err != nil {
		return fmt.Errorf("targets of bundle %s: %w", w.key(), err)
	}
	h := sha256.New()
	for _, c := range f.clusters {
		m := compiled.Resolve(c, f.groups)
		if !m.Matched && m.Err == nil {
			continue
		}
		w.matches = append(w.matches, m)
	}
	sort.Slice(w.matches, func(i, j int) bool { return clusterKey(w.matches[i]) < clusterKey(w.matches[j]) })
	for _, m := range w.matches {
		writeAll(h, clusterKey(m), w.optionsKey(m), errText(m.Err))
	}
	spec, err := json.Marshal(b.Spec)
	if err != nil {
		return fmt.Errorf("digest of bundle %s: %w", w.key(), err)
	}
	blob, err := w.inputs.Encode()
	if err != nil {
		return err
	}
	files := sha256.New()
	writeAll(files, string(spec), string(blob.ID))
	w.observed = hex.EncodeToString(files.Sum(nil)[:16]) + "." + hex.EncodeToString(h.Sum(nil)[:16])
	return nil
}

func writeAll(h hash.Hash, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func clusterKey(m targets.Match) string { return m.Workspace + "/" + m.Cluster }

// optionsKey names everything that makes this cluster's rendering differ from another's.
func (w *work) optionsKey(m targets.Match) string {
	if w.inputs.Kind != bundle.KindHelm {
		return m.OptionsDigest
	}
	f := w.facts[clusterKey(m)]
	sum := sha256.Sum256([]byte(f.KubeVersion + "\n" + strings.Join(f.APIVersions, "\n")))
	return m.OptionsDigest + "-" + hex.EncodeToString(sum[:8])
}

// unchanged tells whether the stored rollout already says what this would say.
func (w *work) unchanged() bool {
	r := w.rollout
	if r == nil || w.bundle == nil || r.Spec.UID != string(w.bundle.UID) || r.Status.ObservedInputs != w.observed ||
		r.Status.BundleGeneration != w.bundle.Generation || r.Status.Removing {
		return false
	}
	w.approve = w.bundle.Annotations[v1alpha1.AnnotationApprove]
	for _, h := range r.Status.Holds {
		if h.ID == w.approve {
			return false
		}
	}
	return true
}

// renderWork renders each distinct (options, facts) once and fans the result
// out to its clusters. A cluster whose options digest is as stored keeps its
// variant, as long as files and spec are the same: then nothing is rendered.
func (d *Deployer) renderWork(ctx context.Context, w *work) error {
	type result struct {
		variant Variant
		err     error
	}
	done := map[string]result{}
	for key, v := range w.reusable() {
		done[key] = result{variant: v}
	}
	for _, m := range w.matches {
		key := w.optionsKey(m)
		if m.Err != nil {
			w.outcomes = append(w.outcomes, Outcome{Cluster: clusterKey(m), Err: m.Err})
			continue
		}
		r, ok := done[key]
		if !ok {
			r.variant, r.err = d.renderMatch(ctx, w, m, key)
			var problem *renderer.Problem
			if r.err != nil && !errors.As(r.err, &problem) {
				return fmt.Errorf("render bundle %s: %w", w.key(), r.err)
			}
			done[key] = r
		}
		w.outcomes = append(w.outcomes, Outcome{Cluster: clusterKey(m), Variant: r.variant, Err: r.err})
	}
	return nil
}

// reusable are the stored variants by options, if files and spec are as they were.
func (w *work) reusable() map[string]Variant {
	out := map[string]Variant{}
	before, _, _ := strings.Cut(w.status.ObservedInputs, ".")
	now, _, _ := strings.Cut(w.observed, ".")
	if before != now {
		return out
	}
	for _, v := range w.previous.Variants {
		if v.Options != "" {
			out[v.Options] = v
		}
	}
	return out
}

func (d *Deployer) renderMatch(ctx context.Context, w *work, m targets.Match, key string) (Variant, error) {
	item, err := d.Render(ctx, renderer.Inputs{
		// A customization may choose a kustomization, and so the kind.
		Bundle: w.desired.Bundle.Name, Kind: bundle.KindOf(w.inputs.Files, m.Options), Files: w.inputs.Files,
		Options: m.Options, Context: m.Context, Facts: w.facts[clusterKey(m)],
	})
	if err != nil {
		return Variant{}, err
	}
	data, id, err := item.Encode()
	if err != nil {
		return Variant{}, err
	}
	identity, err := renderer.Identity(item)
	if err != nil {
		return Variant{}, err
	}
	w.rendered[id] = keyedObjects(item)
	if !d.Store.Has(w.desired.Bundle.Namespace, id) {
		w.blobs = append(w.blobs, content.Blob{Kind: content.KindManifests, ID: id, Identity: identity, Data: data})
	}
	return Variant{Content: id, Identity: identity, Options: key}, nil
}

// decide plans the next wants, judges what they would lose, and writes the
// result into the work's status.
func (d *Deployer) decide(ctx context.Context, f *fleet, w *work, others *owners) error {
	planned := PlanWants(d.now(), PlanInput{
		Strategy: rollout.Strategy{All: true}, Generation: d.generation(w), Previous: w.previous, Outcomes: w.outcomes,
	})
	w.wants = planned.Wants
	baseline, baselineID, err := d.baseline(ctx, w)
	if err != nil {
		return err
	}
	loss, err := measureLoss(lossInput{
		Before: baseline, After: planned.Wants,
		Objects: func(id content.ID) ([]Keyed, error) { return d.objects(ctx, w, id) },
		Gone:    func(cluster string) bool { return !f.exists[cluster] },
		OwnedElsewhere: func(cluster string, key content.Key) (bool, error) {
			return others.want(ctx, cluster, key)
		},
		Forgets: w.keeps(),
	})
	if err != nil {
		return fmt.Errorf("weigh what bundle %s would lose: %w", w.key(), err)
	}
	w.receivers = others.receivers
	guarded, err := d.guard(ctx, w, loss, planned, baseline)
	if err != nil {
		return err
	}
	return w.conclude(planned, guarded, baselineID)
}

func (w *work) keeps() bool {
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
// stored Bundle holds something from Git that its Rollout has not followed yet.
func (w *work) ownAct() bool {
	interrupted := w.bundle != nil && w.bundle.Spec.Source != nil && w.rollout != nil &&
		w.rollout.Status.BundleGeneration != w.bundle.Generation
	return w.desired.OwnAct && !interrupted
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

func (w *work) conclude(planned Planned, g Guarded, baselineID string) error {
	blob, err := g.Wants.Encode()
	if err != nil {
		return err
	}
	changed := string(blob.ID) != w.status.Wants
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
	w.status.ObservedInputs = w.observed
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

// objects of content, just rendered or stored.
func (d *Deployer) objects(ctx context.Context, w *work, id content.ID) ([]Keyed, error) {
	if k, ok := w.rendered[id]; ok {
		return k, nil
	}
	return d.Reader.Objects(ctx, w.desired.Bundle.Namespace, id)
}

// objectsOn are what the plan wants on a cluster.
func (w *work) objectsOn(ctx context.Context, d *Deployer, cluster string) ([]Keyed, error) {
	i := sort.Search(len(w.outcomes), func(i int) bool { return w.outcomes[i].Cluster >= cluster })
	if i == len(w.outcomes) || w.outcomes[i].Cluster != cluster {
		return nil, nil
	}
	return d.objects(ctx, w, w.outcomes[i].Variant.Content)
}

func has(objects []Keyed, key content.Key) bool {
	return slices.ContainsFunc(objects, func(o Keyed) bool { return o.Key == key })
}
