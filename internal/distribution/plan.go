package distribution

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"time"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/rollout"
	"github.com/muster-dev/muster/pkg/targets"
)

// Outcome is what matching and rendering said of one bundle on one cluster.
// Exactly one holds: Content is set (matched and rendered), Err is set, or
// neither (the cluster does not match).
type Outcome struct {
	Cluster string
	Variant Variant
	Err     error
}

// PlanInput is everything a bundle's next wants depend on.
type PlanInput struct {
	Strategy rollout.Strategy
	// Generation and Previous are what is stored.
	Generation int64
	Previous   Wants
	// NewFiles says that Previous was rendered from other files or another spec.
	NewFiles bool
	Outcomes []Outcome
}

// Planned is a bundle's next wants, before guards.
type Planned struct {
	Wants      Wants
	Generation int64
	// Left are clusters that do not match any more.
	Left []string
	Wake time.Time
}

// kept is the want of a cluster that keeps what it has.
func (in PlanInput) kept(old Want) Want {
	old.Stale = old.Stale || in.NewFiles
	return old
}

// PlanWants decides what every cluster shall run. A cluster with an error keeps
// what it had; a cluster whose identity is unchanged keeps its generation; all
// that changed get the next one. Rollout admits, cluster by cluster.
func PlanWants(now time.Time, in PlanInput) Planned {
	next := in.Generation + 1
	changed := false
	matched := map[string]bool{}
	wanted, seen := map[string]rollout.Want{}, map[string]rollout.Seen{}
	proposals := map[string]builtWant{}
	for _, o := range in.Outcomes {
		old, oldWant, had := in.Previous.VariantOf(o.Cluster)
		switch {
		case o.Err != nil && had:
			proposals[o.Cluster] = builtWant{old, in.kept(oldWant)}
		case o.Err != nil || o.Variant.Content == "":
			continue
		case had && old.Identity == o.Variant.Identity:
			// Same identity: same bytes too, so that volatile values are not redrawn.
			old.Options, old.Answers = o.Variant.Options, o.Variant.Answers
			proposals[o.Cluster] = builtWant{old, Want{Generation: oldWant.Generation, Retain: oldWant.Retain}}
		default:
			changed = true
			proposals[o.Cluster] = builtWant{o.Variant, Want{Generation: next}}
		}
		matched[o.Cluster] = true
		p := proposals[o.Cluster]
		wanted[o.Cluster] = rollout.Want{Generation: p.want.Generation, Content: string(p.variant.Content)}
		if had {
			seen[o.Cluster] = rollout.Seen{Generation: oldWant.Generation, Content: string(old.Content)}
		}
	}
	plan := rollout.Next(now, in.Strategy, wanted, seen)
	out := Planned{Generation: in.Generation, Wake: plan.Wake}
	b := newWantsBuilder()
	for _, cluster := range slices.Concat(plan.Advance, plan.Done) {
		b.set(cluster, proposals[cluster].variant, proposals[cluster].want)
	}
	for _, h := range plan.Held {
		if old, w, had := in.Previous.VariantOf(h.Cluster); had {
			b.set(h.Cluster, old, in.kept(w))
		}
	}
	for _, cluster := range sortedClusters(in.Previous) {
		if !matched[cluster] {
			out.Left = append(out.Left, cluster)
			changed = true
		}
	}
	out.Wants = b.build()
	if changed {
		out.Generation = next
	}
	return out
}

// Guarded is the result of judging a loss.
type Guarded struct {
	Wants    Wants
	Approved []v1alpha1.Approval
	Hold     *v1alpha1.Hold
	// Losses is the loss set that waits or was just approved.
	Losses []string
	// Released says that the loss was approved just now.
	Released bool
}

// GuardInput is what a guard judges.
type GuardInput struct {
	Bundle  string // kind and name as muster approve takes them, such as bundle/app
	Loss    Loss
	OwnAct  bool
	Planned Wants
	Left    []string
	// Held is what waits already. It is released by an approval or by the loss going away, never by
	// who looks again: a label that moves meanwhile makes no deletion in Git a person's own act.
	Held     []v1alpha1.Hold
	Approved []v1alpha1.Approval
	// ApprovedSets are the loss sets of Approved, by their content id.
	ApprovedSets map[string][]string
	// Approve is the hold id that a person approved, By and Reason as given.
	Approve, By, Reason string
	Now                 time.Time
}

// Guard lets a change pass, or keeps back the loss in it and nothing else:
// additions and updates go on, lost objects stay, lost clusters keep what runs.
func Guard(in GuardInput) (Guarded, error) {
	set := in.Loss.Set()
	verdict := in.Loss.Verdict(in.OwnAct && len(in.Held) == 0)
	out := Guarded{Wants: withoutHolds(in.Planned), Approved: in.Approved}
	if verdict == "" {
		return out, nil
	}
	for _, a := range in.Approved {
		if Covered(set, in.ApprovedSets[a.Losses]) {
			return out, nil
		}
	}
	id := HoldID(set)
	out.Losses = set
	if in.Approve == id {
		blob, err := LossBlob(set)
		if err != nil {
			return Guarded{}, err
		}
		at := metav1Time(in.Now)
		out.Approved = append(slices.Clone(in.Approved), v1alpha1.Approval{Hold: id, Losses: string(blob.ID), By: in.By, Reason: in.Reason, At: &at})
		if n := len(out.Approved); n > 20 {
			out.Approved = out.Approved[n-20:]
		}
		out.Released = true
		return out, nil
	}
	out.Hold = &v1alpha1.Hold{
		ID: id, Reason: v1alpha1.ReasonLossHeld,
		Message: fmt.Sprintf("%s; nothing is deleted until you run: muster approve %s %s", verdict, in.Bundle, id),
	}
	out.Wants = withHold(in.Planned, in.Left)
	return out, nil
}

func withoutHolds(w Wants) Wants {
	b := newWantsBuilder()
	for name := range w.Clusters {
		v, want, _ := w.VariantOf(name)
		want.Retain = false
		b.set(name, v, want)
	}
	return b.build()
}

func withHold(w Wants, left []string) Wants {
	b := newWantsBuilder()
	for name := range w.Clusters {
		v, want, _ := w.VariantOf(name)
		want.Retain = true
		b.set(name, v, want)
	}
	b.held = append([]string(nil), left...)
	return b.build()
}

// Problems lists per-cluster errors, grouped by message, at most limit of them.
// Files are named from the root of the repository, as the user sees them.
func Problems(b *v1alpha1.Bundle, outcomes []Outcome, limit int) []v1alpha1.Problem {
	clusters := map[string][]string{}
	problems := map[string]v1alpha1.Problem{}
	for _, o := range outcomes {
		if o.Err != nil {
			p := problemOf(b, o.Err)
			key := fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
			problems[key] = p
			clusters[key] = append(clusters[key], o.Cluster)
		}
	}
	var out []v1alpha1.Problem
	for _, key := range slices.Sorted(maps.Keys(problems)) {
		if len(out) == limit {
			break
		}
		p := problems[key]
		sort.Strings(clusters[key])
		p.Message = truncate(fmt.Sprintf("%s (on %s)", p.Message, firstFew(clusters[key])), 1024)
		out = append(out, p)
	}
	return out
}

func problemOf(b *v1alpha1.Bundle, err error) v1alpha1.Problem {
	out := v1alpha1.Problem{Bundle: b.Name, Severity: "error", Code: v1alpha1.ReasonRenderFailed, Message: err.Error()}
	var denied *targets.Denied
	if errors.As(err, &denied) {
		out.Code, out.Message = v1alpha1.ReasonPolicyDenied, denied.Reason
		return out
	}
	var p *renderer.Problem
	if !errors.As(err, &p) {
		return out
	}
	out.Message, out.Line, out.Column, out.File, out.Suggestion = p.Message, p.Line, p.Column, p.File, p.Suggestion
	if p.Code == v1alpha1.ReasonValuesMissing {
		out.Code = p.Code
	}
	if p.File != "" && b.Spec.Source != nil {
		out.File = path.Join(b.Spec.Source.Path, p.File)
	}
	return out
}

func truncate(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit-3] + "..."
}

// ContentOf returns the content ids a bundle still needs: wanted, last good and held.
func ContentOf(ws ...Wants) map[content.ID]bool {
	ids := map[content.ID]bool{}
	for _, w := range ws {
		for _, id := range w.Contents() {
			ids[id] = true
		}
	}
	return ids
}
