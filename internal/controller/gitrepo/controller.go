package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/muster-dev/muster/internal/controller/loop"
	"github.com/muster-dev/muster/internal/controller/status"
	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/source"
	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/schedule"
	fold "github.com/muster-dev/muster/pkg/status"
)

// workers look at repositories; each at one at a time.
const workers = 8

// DefaultInterval is Fleet's: how often a remote is looked at if nothing is said.
const DefaultInterval = 15 * time.Second

// Failed looks are tried again after a moment, then ever more rarely.
const (
	failureBase = 2 * time.Second
	failureMost = 5 * time.Minute
)

// jitter is the share of an interval that spreads looks at many repositories.
const jitter = 0.1

// Controller follows GitRepos.
type Controller struct {
	client   client.Client
	live     client.Reader
	mirrors  *source.Mirrors
	deployer *distribution.Deployer
	status   *status.Controller
	clock    clock.PassiveClock
	hooks    *Hooks
	charts   *charts.Fetcher
	loop     *loop.Loop[string]

	mu    sync.Mutex // guards repos
	repos map[string]*repo
}

// repo is what is remembered of one GitRepo between looks; it is worked on by
// one worker at a time. Losing it costs a read of the mirror, nothing else.
type repo struct {
	// loaded is the commit and spec generation whose bundles were read last.
	commit     string
	generation int64
	// settled is the commit whose removals were all asked for.
	settled  string
	result   bundle.Result
	cache    *bundle.Cache
	failures int
	asked    bool // a webhook, a sync or an approval asked for a look
	nextPoll time.Time
	finding  status.Finding
	secrets  secrets
	// problems are those of the last read; paths are the directories of the stored bundles.
	problems []v1alpha1.Problem
	paths    map[string]string
	charts   *chartBook
}

// Options of a Controller; all are required.
type Options struct {
	Live     client.Reader
	Mirrors  *source.Mirrors
	Deployer *distribution.Deployer
	Status   *status.Controller
	Hooks    *Hooks
	Charts   *charts.Fetcher
	Clock    clock.PassiveClock
}

// New returns a controller.
func New(c client.Client, o Options) *Controller {
	out := &Controller{
		client: c, live: o.Live, mirrors: o.Mirrors, deployer: o.Deployer, status: o.Status, hooks: o.Hooks, charts: o.Charts, clock: o.Clock,
		repos: map[string]*repo{},
	}
	out.loop = loop.New("gitrepo", workers, failureBase, failureMost, out.reconcile)
	return out
}

// Run follows until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx) }

// Mark has a GitRepo (workspace/name) looked at if something is due.
func (c *Controller) Mark(key string) { c.loop.Mark(key) }

// Ask has a GitRepo looked at now: a webhook came, or a person asks.
func (c *Controller) Ask(key string) {
	c.repo(key, func(r *repo) { r.asked = true })
	c.loop.Mark(key)
}

// Reread has a GitRepo's bundles read again although its commit is known.
func (c *Controller) Reread(key string) {
	c.repo(key, func(r *repo) { r.asked, r.generation = true, -1 })
	c.loop.Mark(key)
}

func (c *Controller) repo(key string, do func(*repo)) *repo {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.repos[key]
	if r == nil {
		r = &repo{cache: &bundle.Cache{}, charts: newChartBook()}
		c.repos[key] = r
	}
	do(r)
	return r
}

func (c *Controller) reconcile(ctx context.Context, key string) (time.Duration, error) {
	workspace, name, _ := strings.Cut(key, "/")
	var g v1alpha1.GitRepo
	err := c.client.Get(ctx, client.ObjectKey{Namespace: workspace, Name: name}, &g)
	if apierrors.IsNotFound(err) {
		c.forget(key)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read GitRepo %s: %w", key, err)
	}
	if !g.DeletionTimestamp.IsZero() {
		return c.finalize(ctx, &g)
	}
	if err := c.adopt(ctx, &g); err != nil {
		return 0, err
	}
	asked := false
	r := c.repo(key, func(r *repo) { asked, r.asked = r.asked, false })
	now := c.clock.Now()
	if !r.due(&g, now, asked) {
		return r.wait(now), nil
	}
	err = c.look(ctx, &g, r)
	next := r.schedule(&g, c.clock.Now(), err)
	c.status.Found(key, r.finding)
	return next, nil
}

// adopt sets the finalizer and checks that the namespace is a workspace.
func (c *Controller) adopt(ctx context.Context, g *v1alpha1.GitRepo) error {
	if controllerutil.ContainsFinalizer(g, v1alpha1.Finalizer) {
		return nil
	}
	patched := g.DeepCopy()
	controllerutil.AddFinalizer(patched, v1alpha1.Finalizer)
	if err := c.client.Patch(ctx, patched, client.MergeFromWithOptions(g, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("set the finalizer of GitRepo %s/%s: %w", g.Namespace, g.Name, err)
	}
	return nil
}

// due tells whether there is a reason to look at the remote.
func (r *repo) due(g *v1alpha1.GitRepo, now time.Time, asked bool) bool {
	switch {
	case asked, r.retryDue(now), r.generation != g.Generation, r.finding.SyncToken != g.Annotations[v1alpha1.AnnotationSync]:
		return true
	case g.Spec.DisablePolling && r.failures == 0:
		return false
	}
	return !now.Before(r.nextPoll)
}

// schedule says when to look again, and records why the look failed, if it did.
func (r *repo) schedule(g *v1alpha1.GitRepo, now time.Time, err error) time.Duration {
	r.finding.SyncGeneration, r.finding.SyncToken = g.Spec.ForceSyncGeneration, g.Annotations[v1alpha1.AnnotationSync]
	if err != nil {
		r.failures++
		r.finding.Generation = g.Generation
		wait := schedule.Backoff(r.failures, failureBase, failureMost)
		verdict := explain(err)
		verdict.Message += fmt.Sprintf("; trying again every %s at most, the last good revision stays live", failureMost)
		r.finding.Failure = &verdict
		r.nextPoll = now.Add(wait)
		return wait
	}
	r.failures = 0
	wait := interval(&g.Spec, now, g.Namespace+"/"+g.Name)
	r.nextPoll = now.Add(wait)
	if g.Spec.DisablePolling {
		wait = 0
	}
	if retry := r.charts.retry(); !retry.IsZero() && (wait == 0 || retry.Before(r.nextPoll)) {
		wait = max(retry.Sub(now), time.Millisecond)
	}
	return wait
}

// wait is how long until there may be a reason to look.
func (r *repo) wait(now time.Time) time.Duration {
	wait := r.nextPoll.Sub(now)
	if retry := r.charts.retry(); !retry.IsZero() && retry.Before(r.nextPoll) {
		wait = retry.Sub(now)
	}
	return wait
}

// retryDue tells whether it is time to try again for a chart that could not be had.
func (r *repo) retryDue(now time.Time) bool {
	retry := r.charts.retry()
	return !retry.IsZero() && !now.Before(retry)
}

// interval is how long until the next poll, spread over repositories.
func interval(spec *v1alpha1.GitRepoSpec, now time.Time, key string) time.Duration {
	if spec.Schedule != "" {
		if s, err := schedule.Parse(spec.Schedule); err == nil {
			return s.Next(now).Sub(now) + schedule.Jitter(key, time.Minute, jitter)
		}
	}
	d := DefaultInterval
	if spec.PollingInterval != nil && spec.PollingInterval.Duration > 0 {
		d = spec.PollingInterval.Duration
	}
	return d + schedule.Jitter(key, d, jitter)
}

// explain turns an error into what the GitRepo says.
func explain(err error) fold.Verdict {
	v := fold.Verdict{Reason: v1alpha1.ReasonSourceFailed, Message: err.Error()}
	var known *finding
	switch {
	case errors.As(err, &known):
		v = known.verdict
	case errors.Is(err, source.ErrRefNotFound):
		v.Reason = v1alpha1.ReasonRefNotFound
	case errors.Is(err, source.ErrUnauthorized):
		v.Reason = v1alpha1.ReasonUnauthorized
	}
	return v
}

// finding is an error that knows its reason.
type finding struct{ verdict fold.Verdict }

func (f *finding) Error() string { return f.verdict.Message }

func (c *Controller) forget(key string) {
	c.mu.Lock()
	delete(c.repos, key)
	c.mu.Unlock()
	c.hooks.Drop(key)
	c.status.RepoGone(key)
}

// inWorkspace checks that a GitRepo's namespace is a workspace.
func (c *Controller) inWorkspace(ctx context.Context, namespace string) error {
	var ns corev1.Namespace
	if err := c.client.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err != nil {
		return fmt.Errorf("read namespace %s: %w", namespace, err)
	}
	if ns.Labels[v1alpha1.LabelWorkspace] == "true" {
		return nil
	}
	return &finding{fold.Verdict{Reason: "NotAWorkspace", Message: fmt.Sprintf(
		"namespace %s is not a workspace; label it: kubectl label namespace %s %s=true", namespace, namespace, v1alpha1.LabelWorkspace)}}
}
