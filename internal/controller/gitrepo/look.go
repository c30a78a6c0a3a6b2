package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/controller/status"
	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/source"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/schedule"
	fold "github.com/muster-dev/muster/pkg/status"
)

// look asks the remote which commit is wanted and, if that or the GitRepo
// changed, has its bundles deployed and those that left removed. Whatever
// fails, nothing that is live changes.
func (c *Controller) look(ctx context.Context, g *v1alpha1.GitRepo, r *repo) error {
	if err := c.inWorkspace(ctx, g.Namespace); err != nil {
		return err
	}
	if g.Spec.Schedule != "" {
		if _, err := schedule.Parse(g.Spec.Schedule); err != nil {
			return fmt.Errorf("spec.schedule: %w", err)
		}
	}
	remote, err := c.remote(ctx, g, r)
	if err != nil {
		return err
	}
	commit, err := c.mirrors.Resolve(ctx, remote, source.Ref{Branch: g.Spec.Branch, Revision: g.Spec.Revision})
	if errors.Is(err, source.ErrUnauthorized) {
		r.secrets.forget() // It may have been rotated a moment ago.
	}
	if err != nil {
		return err
	}
	// What leaves at a commit that was settled before, a person took out by editing the GitRepo.
	ownAct := commit == r.settled
	changed := commit != r.commit || g.Generation != r.generation || r.failures > 0
	if !changed {
		c.lookUpLive(ctx, g, r) // A commit does not wait for that.
	}
	stale := c.staleCharts(g, r)
	r.finding.Problems = slices.Concat(r.problems, r.charts.warnings)
	if changed || len(stale) > 0 {
		release, err := c.load(ctx, g, r, remote, commit, stale)
		defer release()
		if err != nil {
			return err
		}
	} else if len(r.finding.Holds) == 0 {
		return nil
	}
	if err := c.settle(ctx, g, r, ownAct); err != nil {
		return err
	}
	r.settled = commit
	return nil
}

// load reads the commit's bundles, and stale ones although they are known, and
// deploys those that changed. No cluster is given a document before release is
// called, which is never nil.
func (c *Controller) load(ctx context.Context, g *v1alpha1.GitRepo, r *repo, remote source.Remote, commit string, stale map[string]bool) (release func(), err error) {
	release = func() {}
	ref := source.Ref{Branch: g.Spec.Branch, Revision: g.Spec.Revision}
	snapshot, err := c.mirrors.Snapshot(ctx, remote, ref, commit)
	if err != nil {
		return release, err
	}
	defer func() {
		if err := snapshot.Close(); err != nil {
			klog.FromContext(ctx).Error(err, "snapshot not closed", "repo", g.Namespace+"/"+g.Name, "commit", commit)
		}
	}()
	own, err := c.bundlesOf(ctx, g)
	if err != nil {
		return release, err
	}
	known, paths := map[string]string{}, map[string]string{}
	for _, b := range own {
		paths[b.Name] = b.Spec.Source.Path
		if r.generation >= 0 && !stale[b.Name] && r.charts.failed[b.Name] == nil {
			known[b.Name] = b.Spec.Source.Identity
		}
	}
	result := bundle.Load(bundle.NewTree(snapshot.FS(), snapshot.TreeHash), bundle.Repo{
		Name: g.Name, Spec: g.Spec, Known: known, LivePaths: paths, Cache: r.cache,
	}).Deployable()
	r.charts.learn(own)
	r.paths = paths
	result, locks := c.chartsOf(ctx, g, r, own, result)
	problems, release, err := c.deploy(ctx, g, r, result, commit, locks)
	if err != nil {
		return release, err
	}
	r.commit, r.generation, r.result = commit, g.Generation, result
	r.problems = append(result.Problems, problems...)
	r.finding = status.Finding{
		Generation: g.Generation, Commit: commit, Problems: slices.Concat(r.problems, r.charts.warnings), WebhookPath: r.finding.WebhookPath,
	}
	r.finding.Failure = verdictOf(r.finding.Problems)
	return release, nil
}

func (c *Controller) bundlesOf(ctx context.Context, g *v1alpha1.GitRepo) ([]v1alpha1.Bundle, error) {
	var list v1alpha1.BundleList
	err := c.client.List(ctx, &list, client.InNamespace(g.Namespace), client.MatchingLabels{v1alpha1.LabelGitRepo: g.Name})
	if err != nil {
		return nil, fmt.Errorf("list the bundles of GitRepo %s/%s: %w", g.Namespace, g.Name, err)
	}
	own := list.Items[:0]
	for _, b := range list.Items {
		if b.Spec.Source != nil && b.Spec.Source.GitRepo == g.Name {
			own = append(own, b)
		}
	}
	return own, nil
}

// deploy has the changed bundles deployed as one unit. Bundles whose name is
// taken become problems; other errors have the whole look tried again.
func (c *Controller) deploy(ctx context.Context, g *v1alpha1.GitRepo, r *repo, result bundle.Result, commit string, locks map[string][]v1alpha1.ChartLock) (problems []v1alpha1.Problem, release func(), err error) {
	var desired []distribution.Desired
	for i := range result.Bundles {
		if b := &result.Bundles[i]; !b.Unchanged {
			one := desiredOf(g, b, commit, locks[b.Name])
			// Another version of a chart is content, and no person's own act.
			one.OwnAct = commit == g.Status.Commit && slices.Equal(r.charts.live[b.Name], locks[b.Name])
			desired = append(desired, one)
			c.status.BundleBelongs(g.Namespace+"/"+b.Name, g.Namespace+"/"+g.Name)
		}
	}
	if len(desired) == 0 {
		return nil, func() {}, nil
	}
	failed, release := c.deployer.DeployHeld(ctx, g.Namespace, desired)
	var errs []error
	for _, d := range desired {
		err := failed[d.Key()]
		switch {
		case errors.Is(err, distribution.ErrNotOurs):
			problems = append(problems, v1alpha1.Problem{
				File: d.Bundle.Spec.Source.Path, Bundle: d.Bundle.Name, Severity: bundle.Error, Code: v1alpha1.ReasonConflict,
				Message: fmt.Sprintf("a Bundle named %s exists and does not belong to this GitRepo; give one of them another name", d.Bundle.Name),
			})
			c.status.BundleBelongs(d.Key(), "")
		case err != nil:
			errs = append(errs, err)
		case len(locks[d.Bundle.Name]) > 0:
			r.charts.live[d.Bundle.Name], r.paths[d.Bundle.Name] = locks[d.Bundle.Name], d.Bundle.Spec.Source.Path
		default:
			delete(r.charts.live, d.Bundle.Name)
		}
	}
	return problems, release, errors.Join(errs...)
}

func desiredOf(g *v1alpha1.GitRepo, b *bundle.Bundle, commit string, locks []v1alpha1.ChartLock) distribution.Desired {
	labels := map[string]string{}
	for k, v := range b.Labels {
		labels[k] = v
	}
	labels[v1alpha1.LabelGitRepo] = g.Name
	out := &v1alpha1.Bundle{Spec: b.Spec}
	out.Namespace, out.Name, out.Labels = g.Namespace, b.Name, labels
	out.Spec.Source = &v1alpha1.BundleSource{
		GitRepo: g.Name, Path: b.Path, OptionsFile: b.OptionsFile, Identity: b.Identity, Commit: commit, Charts: locks,
	}
	return distribution.Desired{Bundle: out, Inputs: &distribution.Inputs{Kind: b.Kind, Files: b.Files}}
}

// verdictOf says what the first errors in the repository mean for the GitRepo.
func verdictOf(problems []v1alpha1.Problem) *fold.Verdict {
	var errs []v1alpha1.Problem
	for _, p := range problems {
		if p.Severity == bundle.Error {
			errs = append(errs, p)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	first := errs[0]
	message := fold.Locate(first)
	if n := len(errs) - 1; n > 0 {
		message += fmt.Sprintf(" (and %d more problems, see status.problems)", n)
	}
	reason := first.Code
	switch reason {
	case v1alpha1.ReasonPathNotFound, v1alpha1.ReasonNotSupported, v1alpha1.ReasonConflict, v1alpha1.ReasonChartUnavailable:
	default:
		reason = v1alpha1.ReasonInvalidBundle
	}
	return &fold.Verdict{Reason: reason, Message: message}
}

// settle removes bundles that are known to be gone. Until a result is Known,
// nothing is: a broken bundle is not an absent one.
func (c *Controller) settle(ctx context.Context, g *v1alpha1.GitRepo, r *repo, ownAct bool) error {
	r.finding.Holds = nil
	if r.result.Unknown {
		return nil
	}
	own, err := c.bundlesOf(ctx, g)
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for i := range r.result.Bundles {
		present[r.result.Bundles[i].Name] = true
	}
	for _, name := range r.result.Broken {
		present[name] = true
	}
	var gone []v1alpha1.Bundle
	for _, b := range own {
		if !present[b.Name] && b.DeletionTimestamp.IsZero() {
			gone = append(gone, b)
		}
	}
	holds, err := c.remove(ctx, g, gone, ownAct)
	r.finding.Holds = holds
	return err
}

// remove lets bundles go, each approved by itself or all of them by the GitRepo.
func (c *Controller) remove(ctx context.Context, g *v1alpha1.GitRepo, gone []v1alpha1.Bundle, ownAct bool) ([]v1alpha1.Hold, error) {
	departing := make([]distribution.Departing, 0, len(gone))
	for i := range gone {
		b := &gone[i]
		departing = append(departing, distribution.Departing{
			Bundle: b, OwnAct: ownAct, Approve: b.Annotations[v1alpha1.AnnotationApprove],
			By: b.Annotations[v1alpha1.AnnotationApprovedBy], Reason: b.Annotations[v1alpha1.AnnotationApproveReason],
		})
	}
	holds, err := c.deployer.Remove(ctx, g.Namespace, departing)
	if err != nil || len(holds) == 0 {
		return nil, err
	}
	hold := combined(g.Name, holds)
	if g.Annotations[v1alpha1.AnnotationApprove] != hold.ID {
		return []v1alpha1.Hold{hold}, nil
	}
	for i := range departing {
		d := &departing[i]
		d.Approve = holds[g.Namespace+"/"+d.Bundle.Name].ID
		d.By, d.Reason = g.Annotations[v1alpha1.AnnotationApprovedBy], g.Annotations[v1alpha1.AnnotationApproveReason]
	}
	_, err = c.deployer.Remove(ctx, g.Namespace, departing)
	return nil, err
}

// combined is the hold a GitRepo shows for those of its departing bundles.
func combined(repo string, holds map[string]v1alpha1.Hold) v1alpha1.Hold {
	ids, names := []string{}, []string{}
	for name, h := range holds {
		ids = append(ids, h.ID)
		names = append(names, name)
	}
	sort.Strings(ids)
	sort.Strings(names)
	id := distribution.HoldID(ids)
	example := holds[names[0]].Message
	return v1alpha1.Hold{
		ID: id, Reason: v1alpha1.ReasonLossHeld,
		Message: fmt.Sprintf("%d bundle(s) left the repository and are kept, such as %s: %s; let all of them go with: muster approve gitrepo/%s %s",
			len(holds), names[0], example, repo, id),
	}
}
