package hub_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/controller/bundle"
	"github.com/muster-dev/muster/internal/controller/gitrepo"
	"github.com/muster-dev/muster/internal/controller/status"
	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/muster-dev/muster/internal/source"
	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// follower is a hub whose GitRepo, Bundle and status controllers run, on a real
// Git server.
type follower struct {
	*hub
	repos   *gitrepo.Controller
	bundles *bundle.Controller
	server  *httptest.Server
	dir     string       // the working copy
	looks   *movingClock // the GitRepo controller's
}

// movingClock is the real one, which a test may stop and put forward.
type movingClock struct {
	mu      sync.Mutex // guards the fields below
	ahead   time.Duration
	stopped time.Time
}

func (c *movingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nowLocked()
}

func (c *movingClock) nowLocked() time.Time {
	if !c.stopped.IsZero() {
		return c.stopped
	}
	return time.Now().Add(c.ahead)
}

func (c *movingClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (c *movingClock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
	if !c.stopped.IsZero() {
		c.stopped = c.stopped.Add(d)
	}
}

func (c *movingClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = c.nowLocked()
}

func (c *movingClock) run() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.stopped = time.Until(c.stopped), time.Time{}
}

func follow(t *testing.T) *follower {
	t.Helper()
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	h := w.process()
	root := t.TempDir()
	if _, err := gitserver.Create(t.Context(), root, "fleet.git", ""); err != nil {
		t.Fatal(err)
	}
	git, err := gitserver.New(root, func(gitserver.Push) {})
	check(t, err)
	f := &follower{hub: h, server: httptest.NewServer(git), dir: t.TempDir(), looks: &movingClock{}}
	t.Cleanup(f.server.Close)
	f.git("init", "--quiet", "--initial-branch=main")
	f.git("remote", "add", "origin", filepath.Join(root, "fleet.git"))
	f.start()
	return f
}

// start runs the controllers until the test ends.
func (f *follower) start() {
	mirrors, err := source.NewMirrors(f.t.TempDir(), source.Options{})
	check(f.t, err)
	f.status = status.New(f.client, f.machine, clock.RealClock{})
	f.status.SetView(f.composer)
	f.repos = gitrepo.New(f.client, gitrepo.Options{
		Live: f.client, Mirrors: mirrors, Deployer: f.deployer, Status: f.status, Hooks: gitrepo.NewHooks(), Clock: f.looks,
		Charts: charts.New(charts.Options{FreshFor: time.Nanosecond, RetryDelay: time.Millisecond}),
	})
	f.bundles = bundle.New(f.client, f.deployer, f.repos.Reread, f.status.BundleRefused)
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	done := make(chan error, 3)
	for _, run := range []func(context.Context) error{f.repos.Run, f.bundles.Run, f.status.Run} {
		go func() { done <- run(ctx) }()
	}
	f.t.Cleanup(func() {
		cancel()
		for range 3 {
			<-done
		}
		if err := mirrors.Close(); err != nil {
			f.t.Error(err)
		}
	})
}

func (f *follower) git(args ...string) string {
	f.t.Helper()
	command := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@localhost"}, args...)...)
	command.Dir = f.dir
	out, err := command.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// push writes files ("" removes one), commits and pushes, and asks for a look.
func (f *follower) push(files map[string]string) (commit string) {
	f.t.Helper()
	for name, text := range files {
		path := filepath.Join(f.dir, name)
		if text == "" {
			check(f.t, os.RemoveAll(path))
			continue
		}
		check(f.t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(f.t, os.WriteFile(path, []byte(text), 0o644))
	}
	f.git("add", "--all")
	f.git("commit", "--quiet", "--allow-empty", "-m", "change")
	f.git("push", "--quiet", "origin", "HEAD:main")
	f.ask()
	return f.git("rev-parse", "HEAD")
}

func (f *follower) ask() { f.repos.Ask(f.workspace + "/fleet") }

func (f *follower) create(paths ...string) {
	f.t.Helper()
	g := &v1alpha1.GitRepo{ObjectMeta: metav1.ObjectMeta{Namespace: f.workspace, Name: "fleet"}}
	g.Spec.Repo, g.Spec.Branch, g.Spec.Paths = f.server.URL+"/fleet.git", "main", paths
	g.Spec.DisablePolling = true
	g.Spec.Targets = []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterSelector: &metav1.LabelSelector{}}}}
	check(f.t, f.api.Create(f.t.Context(), g))
	f.ask()
}

func (f *follower) repo() *v1alpha1.GitRepo {
	f.t.Helper()
	var g v1alpha1.GitRepo
	check(f.t, f.api.Get(f.t.Context(), client.ObjectKey{Namespace: f.workspace, Name: "fleet"}, &g))
	return &g
}

func (f *follower) edit(change func(*v1alpha1.GitRepo)) {
	f.t.Helper()
	check(f.t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		g := f.repo()
		change(g)
		return f.api.Update(f.t.Context(), g)
	}))
	f.ask()
}

// until waits for something that the controllers bring about.
func (f *follower) until(what string, ok func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	f.t.Fatalf("not %s within %s: GitRepo status %+v", what, patience, f.repo().Status)
}

// quiet waits until nothing has been written for longer than a status may wait.
func (f *follower) quiet() {
	f.t.Helper()
	f.calls.take()
	f.until("quiet", func() bool {
		time.Sleep(3 * status.Settle)
		return len(f.calls.take()) == 0
	})
}

// settled waits until the GitRepo speaks of a commit.
func (f *follower) settled(commit string) {
	f.t.Helper()
	f.until("at commit "+commit, func() bool { return f.repo().Status.Commit == commit })
	check(f.t, f.compose())
}

// says waits until the GitRepo is not Ready for a reason.
func (f *follower) saysWhy(reason, part string) {
	f.t.Helper()
	f.until("saying "+reason+" "+part, func() bool {
		c := meta.FindStatusCondition(f.repo().Status.Conditions, v1alpha1.ConditionReady)
		return c != nil && c.Status == metav1.ConditionFalse && c.Reason == reason && strings.Contains(c.Message, part)
	})
	check(f.t, f.compose())
}

func object(name, value string) string {
	return string(filesOf([]string{"ConfigMap/" + name + "=" + value})[0].Data)
}

func claim(name string) string {
	return string(filesOf([]string{"PersistentVolumeClaim/" + name})[0].Data)
}

func TestAPushIsDeployedAndAnotherThatChangesNothingWritesOnlyTheCommit(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "1"), "apps/db/a.yaml": object("db", "1")}))
	f.wantSays("a", "fleet-apps-db@1 fleet-apps-web@1")

	f.quiet()
	commit := f.push(map[string]string{"README": "words"})
	f.settled(commit)
	for _, write := range f.calls.take() {
		if write != "PATCH gitrepos" {
			t.Errorf("a commit that changes no bundle wrote: %s", write)
		}
	}
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "2")}))
	f.wantSays("a", "fleet-apps-db@1 fleet-apps-web@2")
}

func TestAMistypedPathRemovesNothingAndIsSaid(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "1")}))
	f.edit(func(g *v1alpha1.GitRepo) { g.Spec.Paths = []string{"aps/*"} })
	f.saysWhy(v1alpha1.ReasonPathNotFound, "aps/*")
	f.wantSays("a", "fleet-apps-web@1")
	f.edit(func(g *v1alpha1.GitRepo) { g.Spec.Paths = []string{"apps/*"} })
	f.until("well again", func() bool {
		return !meta.IsStatusConditionPresentAndEqual(f.repo().Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue)
	})
}

func TestABrokenBundleKeepsItsRevisionAndTheOthersGoOn(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "1"), "apps/db/a.yaml": object("db", "1")}))
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": "namspace: x\n", "apps/db/a.yaml": object("db", "2")}))
	f.saysWhy(v1alpha1.ReasonInvalidBundle, "apps/web/fleet.yaml:1")
	f.wantSays("a", "fleet-apps-db@2 fleet-apps-web@1")
}

// The user wrote to Git, so the GitRepo says that a bundle does not render,
// although every cluster is well with its last revision.
func TestABundleThatDoesNotRenderIsSaidOnTheGitRepo(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "1")}))
	f.settled(f.push(map[string]string{"apps/web/a.yaml": strings.Replace(object("web", "2"), "ConfigMap", "Broken", 1)}))
	f.saysWhy(v1alpha1.ReasonRenderFailed, "does not render")
	f.wantSays("a", "fleet-apps-web@1")
}

func TestARemoteThatIsAwayKeepsTheLastRevision(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "1")}))
	f.edit(func(g *v1alpha1.GitRepo) { g.Spec.Repo = "http://127.0.0.1:1/fleet.git" })
	f.saysWhy(v1alpha1.ReasonSourceFailed, "last good revision stays live")
	f.edit(func(g *v1alpha1.GitRepo) { g.Spec.Repo, g.Spec.Branch = f.server.URL+"/fleet.git", "gone" })
	f.saysWhy(v1alpha1.ReasonRefNotFound, "gone")
	f.wantSays("a", "fleet-apps-web@1")
}

func TestARenamedDirectoryMovesItsObjects(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/old/a.yaml": object("one", "1"), "apps/web/a.yaml": object("web", "1")}))
	f.push(map[string]string{"apps/old": "", "apps/new/a.yaml": object("one", "1")})
	f.until("gone", func() bool {
		check(t, f.compose())
		f.bundles.Mark(f.workspace + "/fleet-apps-old")
		return f.storedBundle("fleet-apps-old") == nil
	})
	f.wantSays("a", "fleet-apps-new@1 fleet-apps-web@1 -fleet-apps-old /ConfigMap/x/one:fleet-apps-old>fleet-apps-new")
}

// A deletion that Git asked for is held until approved, whoever looks again.
func TestADeletionHeldOnceIsHeldAtTheNextPoll(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "1"), "apps/data/a.yaml": claim("data")}))
	f.edit(func(g *v1alpha1.GitRepo) {
		g.Spec.Targets[0].ClusterSelector.MatchLabels = map[string]string{"only": "a"}
	})
	f.editCluster("a", func(c *v1alpha1.Cluster) { c.Labels = map[string]string{"only": "a"} })
	for _, name := range []string{"fleet-apps-web", "fleet-apps-data"} {
		f.bundles.Mark(f.workspace + "/" + name)
	}
	f.until("on cluster a only", func() bool { return f.rollout("fleet-apps-data").Status.Clusters == 1 })
	for i, h := range f.rollout("fleet-apps-data").Status.Holds {
		f.t.Logf("hold %d: %s", i, h.Message)
	}

	f.push(map[string]string{"apps/data": ""})
	f.saysWhy(v1alpha1.ReasonLossHeld, "approve gitrepo/fleet")
	for range 3 {
		f.ask()
		time.Sleep(100 * time.Millisecond)
	}
	f.saysWhy(v1alpha1.ReasonLossHeld, "approve gitrepo/fleet")
	if b := f.mustBundle("fleet-apps-data"); !b.DeletionTimestamp.IsZero() {
		t.Fatal("the bundle was deleted without approval")
	}
	f.edit(func(g *v1alpha1.GitRepo) {
		g.Annotations = map[string]string{v1alpha1.AnnotationApprove: g.Status.Holds[0].ID}
	})
	f.until("gone", func() bool {
		check(t, f.compose())
		f.bundles.Mark(f.workspace + "/fleet-apps-data")
		return f.storedBundle("fleet-apps-data") == nil
	})
}

func TestADeletedGitRepoTakesItsBundlesAlong(t *testing.T) {
	f := follow(t)
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/a.yaml": object("web", "1")}))
	// One object on each of two clusters: more than one and all of them is held.
	check(t, f.api.Delete(t.Context(), f.repo()))
	f.ask()
	f.until("held", func() bool { return len(f.repo().Status.Holds) == 1 })
	f.wantSays("a", "fleet-apps-web@1")
	f.edit(func(g *v1alpha1.GitRepo) {
		g.Annotations = map[string]string{v1alpha1.AnnotationApprove: g.Status.Holds[0].ID}
	})
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		check(t, f.compose())
		f.bundles.Mark(f.workspace + "/fleet-apps-web")
		f.ask()
		var g v1alpha1.GitRepo
		if err := f.api.Get(t.Context(), client.ObjectKey{Namespace: f.workspace, Name: "fleet"}, &g); err != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if b := f.storedBundle("fleet-apps-web"); b != nil {
		t.Fatalf("bundle still there: %+v", b.ObjectMeta)
	}
	f.wantSays("a", "-fleet-apps-web")
}
