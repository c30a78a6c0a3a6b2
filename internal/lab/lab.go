package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/internal/lab/process"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pollInterval is how often the lab looks while it waits for something at start.
const pollInterval = 50 * time.Millisecond

// repositoryName is the one repository of the lab's Git server.
const repositoryName = "fleet.git"

// Lab is a running fleet.
type Lab struct {
	options  Options
	programs programs
	plane    *plane.Plane
	hub      client.Client
	gateway  string // URL
	metrics  string // host:port
	gitURL   string
	gitAddr  string
	commit   string // of the seed
	git      *process.Process
	kwoks    []*process.Process
	manager  *component
	agents   map[string]*component

	stop    context.CancelFunc // ends what runs in the lab's own process
	running sync.WaitGroup

	mu          sync.Mutex // guards ready, webhookPath and demo.json
	ready       bool
	webhookPath string
}

// Start returns a lab whose programs all run; Ready waits until they have done
// their work. If it fails, nothing is left running. The lab lives until Stop,
// also when ctx ends earlier.
func Start(ctx context.Context, o Options) (*Lab, error) {
	if len(o.Clusters) == 0 {
		o.Clusters = DefaultClusters()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if err := makeEmptyDir(o.Dir); err != nil {
		return nil, err
	}
	found, err := findPrograms(o.Bin)
	if err != nil {
		return nil, err
	}
	l := &Lab{options: o, programs: found, agents: map[string]*component{}}
	if err := l.start(ctx); err != nil {
		l.Stop()
		return nil, err
	}
	return l, nil
}

// start starts everything in the order of who needs whom.
func (l *Lab) start(ctx context.Context) error {
	var inner context.Context
	inner, l.stop = context.WithCancel(context.Background())
	if err := l.pickAddresses(); err != nil {
		return err
	}
	if err := l.startPlaneAndRepository(ctx); err != nil {
		return err
	}
	if err := l.prepareHub(ctx); err != nil {
		return err
	}
	if err := l.startManager(ctx, inner); err != nil {
		return err
	}
	if err := l.startGit(); err != nil {
		return err
	}
	// The GitRepo waits for nobody: rendering goes on while agents join.
	if err := l.makeSeed(ctx); err != nil {
		return err
	}
	var joining errgroup.Group
	var agents sync.Mutex
	for _, c := range l.options.Clusters {
		joining.Go(func() error { return l.startCluster(ctx, inner, c, &agents) })
	}
	return joining.Wait()
}

// makeEmptyDir makes dir, or accepts it if there is nothing in it.
func makeEmptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(dir, 0o700)
	}
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("directory %s is not empty; name one that is, or that does not exist", dir)
	}
	return err
}

func (l *Lab) pickAddresses() error {
	var ports [3]int
	for i := range ports {
		port, err := plane.FreePort()
		if err != nil {
			return err
		}
		ports[i] = port
	}
	loopback := func(port int) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(port)) }
	l.gateway, l.metrics, l.gitAddr = "http://"+loopback(ports[0]), loopback(ports[1]), loopback(ports[2])
	l.gitURL = "http://" + l.gitAddr + "/" + repositoryName
	return nil
}

func (l *Lab) startPlaneAndRepository(ctx context.Context) error {
	names := []string{HubName}
	for _, c := range l.options.Clusters {
		names = append(names, c.Name)
	}
	var starting errgroup.Group
	starting.Go(func() (err error) {
		l.plane, err = plane.Start(ctx, plane.Options{
			Dir: l.options.Dir, Bin: l.programs.dir, Servers: names,
			ControllerManager: true, Lean: []string{HubName}, Audit: true, Progress: l.say,
		})
		return err
	})
	starting.Go(func() (err error) {
		l.commit, err = gitserver.Create(ctx, l.path("git"), repositoryName, l.options.Seed)
		return err
	})
	if err := starting.Wait(); err != nil {
		return err
	}
	var err error
	l.hub, err = newClient(l.plane.Server(HubName).Config())
	return err
}

func (l *Lab) makeSeed(ctx context.Context) error {
	if err := l.makeWebhookSecret(ctx); err != nil {
		return err
	}
	if l.options.Seed == "" {
		return nil
	}
	l.say("making GitRepo " + GitRepoName)
	return l.makeGitRepo(ctx)
}

// startGit starts the Git server, a process of its own.
func (l *Lab) startGit() error {
	kubeconfig := l.path("kubeconfig", "git")
	if err := l.plane.Server(HubName).WriteKubeconfig(kubeconfig, "lab-git", plane.MastersGroup); err != nil {
		return err
	}
	l.say("starting the Git server")
	options := GitOptions{Root: l.path("git"), Listen: l.gitAddr, Kubeconfig: kubeconfig, Gateway: l.gateway}
	var err error
	l.git, err = process.Start(process.Spec{Name: "git server", Path: l.programs.muster, Args: options.args(), Log: l.log("git")})
	return err
}

// supervised starts a component and keeps it running until the lab stops.
func (l *Lab) supervised(inner context.Context, name string, spec process.Spec) (*component, error) {
	c := &component{name: name, spec: spec, changed: func(message string) { l.say(message); l.publish() }}
	if err := c.start(); err != nil {
		return nil, err
	}
	l.running.Go(func() { c.supervise(inner) })
	return c, nil
}

// stopTimeout of the Git server; the manager and the agents have componentGrace.
const gitGrace = 2 * time.Second

// Stop ends everything within 15 s: first who writes, then who serves.
func (l *Lab) Stop() {
	if l.stop != nil {
		l.stop()
	}
	l.running.Wait()
	if l.git != nil {
		l.git.Stop(gitGrace)
	}
	for _, kwok := range l.kwoks {
		kwok.Kill()
	}
	if l.plane != nil {
		l.plane.Stop()
	}
}

func (l *Lab) say(message string) { l.options.Progress(message) }

func (l *Lab) path(elements ...string) string {
	return filepath.Join(append([]string{l.options.Dir}, elements...)...)
}

func (l *Lab) log(name string) string { return l.path("logs", name+".log") }

// Hub is an administrator's client of the hub.
func (l *Lab) Hub() client.Client { return l.hub }

// Gateway is the manager's address.
func (l *Lab) Gateway() string { return l.gateway }
