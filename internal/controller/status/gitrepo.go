package status

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
	fold "github.com/muster-dev/muster/pkg/status"
)

// Finding is what the GitRepo controller found at the last look.
type Finding struct {
	Generation int64
	Commit     string
	// Failure is set when the source or the repository's contents are at fault.
	Failure        *fold.Verdict
	Problems       []v1alpha1.Problem
	SyncGeneration int64
	SyncToken      string
	WebhookPath    string
	Holds          []v1alpha1.Hold
}

// Found takes over a finding; its GitRepo's status follows.
func (c *Controller) Found(repo string, f Finding) {
	c.mu.Lock()
	c.findings[repo] = f
	c.mu.Unlock()
	c.loop.Mark(item{kindGitRepo, repo})
}

// RepoGone drops a deleted GitRepo.
func (c *Controller) RepoGone(repo string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.findings, repo)
	delete(c.members, repo)
}

func (c *Controller) writeGitRepo(ctx context.Context, it item, key client.ObjectKey) (time.Duration, error) {
	c.mu.Lock()
	finding, ok := c.findings[it.key]
	c.mu.Unlock()
	if !ok {
		return 0, nil // Nothing was looked at yet; what is written stays true until then.
	}
	var g v1alpha1.GitRepo
	if err := c.client.Get(ctx, key, &g); err != nil {
		c.still(it)
		return 0, client.IgnoreNotFound(err)
	}
	trouble, err := c.trouble(ctx, it.key)
	if err == nil && trouble == nil {
		trouble, err = c.untargeted(ctx, &g)
	}
	if err != nil {
		return 0, err
	}
	next, moving := c.repoStatus(&g, finding, trouble)
	if equality.Semantic.DeepEqual(next, g.Status) {
		c.still(it)
		return 0, nil
	}
	if wait := c.mayWrite(it, moving && g.Status.ObservedGeneration == next.ObservedGeneration); wait > 0 {
		return wait, nil
	}
	patched := g.DeepCopy()
	patched.Status = next
	if err := c.client.Status().Patch(ctx, patched, client.MergeFrom(&g)); client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("write the status of GitRepo %s: %w", key, err)
	}
	return 0, nil
}

// trouble is what no cell shows of a repository's bundles: one whose newest
// revision does not render, or waits for approval, runs its last one, and the
// cells of that may all be Ready.
func (c *Controller) trouble(ctx context.Context, repo string) (*fold.Verdict, error) {
	for _, bundle := range c.membersOf(repo) {
		workspace, name, _ := strings.Cut(bundle, "/")
		var r v1alpha1.Rollout
		err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: distribution.MachineName(workspace, name)}, &r)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("read Rollout of bundle %s: %w", bundle, err)
		}
		switch {
		case len(r.Status.Problems) > 0:
			return &fold.Verdict{Reason: problemReason(r.Status.Problems[0]), Message: clip(fmt.Sprintf("bundle %s: %s", name, fold.Locate(r.Status.Problems[0])))}, nil
		case len(r.Status.Holds) > 0:
			return &fold.Verdict{Reason: r.Status.Holds[0].Reason, Message: clip(fmt.Sprintf("bundle %s: %s", name, r.Status.Holds[0].Message))}, nil
		}
	}
	return nil, nil
}

// untargeted says of a GitRepo without targets that its bundles reach nobody,
// since there is no ClusterGroup that takes their place.
func (c *Controller) untargeted(ctx context.Context, g *v1alpha1.GitRepo) (*fold.Verdict, error) {
	counts, bundles, _, _ := c.foldRepo(g.Namespace + "/" + g.Name)
	if len(g.Spec.Targets) > 0 || bundles == 0 || counts.Summary().Desired > 0 {
		return nil, nil
	}
	var group v1alpha1.ClusterGroup
	err := c.client.Get(ctx, client.ObjectKey{Namespace: g.Namespace, Name: defaultGroup}, &group)
	if err == nil {
		return nil, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read ClusterGroup %s/%s: %w", g.Namespace, defaultGroup, err)
	}
	return &fold.Verdict{Reason: v1alpha1.ReasonNoTargets, Message: fmt.Sprintf(
		`the GitRepo names no targets, and workspace %s has no ClusterGroup %s, which it then means; for every cluster, add to its spec the line "targets: [{clusterSelector: {}}]"`,
		g.Namespace, defaultGroup)}, nil
}

// defaultGroup is the ClusterGroup that a GitRepo without targets means.
const defaultGroup = "default"

func (c *Controller) membersOf(repo string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.members[repo]))
	for b := range c.members[repo] {
		names = append(names, b)
	}
	sort.Strings(names)
	return names
}

func (c *Controller) repoStatus(g *v1alpha1.GitRepo, f Finding, trouble *fold.Verdict) (v1alpha1.GitRepoStatus, bool) {
	counts, bundles, ready, examples := c.foldRepo(g.Namespace + "/" + g.Name)
	next := *g.Status.DeepCopy()
	next.ObservedGeneration = f.Generation
	if f.Commit != "" {
		next.Commit = f.Commit
	}
	next.SyncGeneration, next.SyncToken, next.WebhookPath = f.SyncGeneration, f.SyncToken, f.WebhookPath
	next.Summary = counts.Summary()
	next.Display = v1alpha1.Display{
		ReadyBundles: fmt.Sprintf("%d/%d", ready, bundles), ReadyClusters: counts.Ratio(), State: string(counts.Worst()),
	}
	next.Holds = f.Holds
	next.Problems, next.MoreProblems = f.Problems, 0
	if n := len(f.Problems); n > maxListed {
		next.Problems, next.MoreProblems = f.Problems[:maxListed], n-maxListed
	}
	verdict := fold.Of(counts, "bundle deployments", examples)
	stalled, reconciling := "", ""
	switch {
	case f.Failure != nil:
		verdict, stalled = *f.Failure, f.Failure.Message
	case len(f.Holds) > 0:
		verdict = fold.Verdict{Reason: f.Holds[0].Reason, Message: f.Holds[0].Message}
	case trouble != nil:
		verdict = *trouble
	case counts.Moving():
		reconciling = verdict.Message
	case bundles == 0 && verdict.Ready:
		verdict.Message = "the repository holds no bundles"
	}
	now := c.clock.Now()
	next.Conditions = fold.Conditions(next.Conditions, f.Generation, now, verdict, reconciling, stalled)
	next.Conditions = fold.Held(next.Conditions, f.Generation, now, f.Holds)
	return next, counts.Moving() && f.Failure == nil
}

func (c *Controller) foldRepo(repo string) (counts fold.Counts, bundles, ready int, examples []string) {
	names := c.membersOf(repo)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range names {
		n := c.table.Bundle(b)
		counts = counts.Plus(n)
		bundles++
		if n.AllReady() {
			ready++
			continue
		}
		if worst := n.Worst(); len(examples) < 3 && worst != protocol.StateReady {
			examples = append(examples, fmt.Sprintf("%s is %s", b, worst))
		}
	}
	return counts, bundles, ready, examples
}
