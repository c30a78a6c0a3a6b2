package status

import (
	"context"
	"fmt"
	"sort"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
		return 0, client.IgnoreNotFound(err)
	}
	next, moving := c.repoStatus(&g, finding)
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

func (c *Controller) repoStatus(g *v1alpha1.GitRepo, f Finding) (v1alpha1.GitRepoStatus, bool) {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.members[repo]))
	for b := range c.members[repo] {
		names = append(names, b)
	}
	sort.Strings(names)
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
