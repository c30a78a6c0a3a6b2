package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/muster-dev/muster/examples"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// DefaultReadyTimeout is how long a demo may take to become ready.
const DefaultReadyTimeout = 180 * time.Second

// SeedNone starts with an empty repository and no GitRepo.
const SeedNone = "none"

// DemoOptions are the flags of `muster demo`.
type DemoOptions struct {
	// Headless prints one JSON line when ready and nothing else on Stdout.
	Headless bool
	// DataDir is kept; empty uses a temporary directory that is removed.
	DataDir string
	// Count of numbered clusters; 0 means Clusters, and without those the default three.
	Count int
	// Clusters as NAME or NAME=k=v,k2=v2.
	Clusters []string
	// SeedRepo is a plain directory, SeedNone, or empty for the example repository.
	SeedRepo string
	// ReadyTimeout bounds the start; 0 means DefaultReadyTimeout.
	ReadyTimeout time.Duration
	// Stdout and Stderr; nil means the process's own.
	Stdout, Stderr io.Writer
}

// Demo runs a fleet on this machine until ctx ends or the process gets SIGINT,
// SIGTERM or SIGHUP; then it ends everything and returns nil.
func Demo(ctx context.Context, o DemoOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctrllog.SetLogger(logr.Discard()) // controller-runtime's clients complain without one
	o = o.withDefaults()
	options, cleanUp, err := o.prepare()
	if err != nil {
		return err
	}
	console := newConsole(o, time.Now())
	options.Progress = console.Say
	return errors.Join(runDemo(ctx, o, options, console), cleanUp())
}

func (o DemoOptions) withDefaults() DemoOptions {
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = DefaultReadyTimeout
	}
	return o
}

// prepare turns flags into options; cleanUp removes what is temporary.
func (o DemoOptions) prepare() (options Options, cleanUp func() error, err error) {
	if options.Clusters, err = o.clusters(); err != nil {
		return options, nil, err
	}
	if o.SeedRepo != "" && o.SeedRepo != SeedNone {
		if info, err := os.Stat(o.SeedRepo); err != nil || !info.IsDir() {
			return options, nil, fmt.Errorf("--seed-repo %s: not a directory", o.SeedRepo)
		}
	}
	scratch, err := os.MkdirTemp("", "muster-demo-")
	if err != nil {
		return options, nil, fmt.Errorf("make a directory for the demo: %w", err)
	}
	cleanUp = func() error { return os.RemoveAll(scratch) }
	options.Dir = o.DataDir
	if options.Dir == "" {
		options.Dir = filepath.Join(scratch, "data")
	}
	if options.Seed, err = o.seed(scratch); err != nil {
		return options, nil, errors.Join(err, cleanUp())
	}
	return options, cleanUp, nil
}

func (o DemoOptions) clusters() ([]Cluster, error) {
	if o.Count < 0 || (o.Count > 0 && len(o.Clusters) > 0) {
		return nil, errors.New("give --clusters a positive number, or name each cluster with --cluster")
	}
	if o.Count > 0 {
		return NumberedClusters(o.Count), nil
	}
	var clusters []Cluster
	for _, text := range o.Clusters {
		c, err := ParseCluster(text)
		if err != nil {
			return nil, err
		}
		clusters = append(clusters, c)
	}
	if len(clusters) == 0 {
		clusters = DefaultClusters()
	}
	return clusters, Options{Dir: "-", Clusters: clusters}.validate()
}

// seed returns the directory to commit, unpacking the example if none is named.
func (o DemoOptions) seed(scratch string) (string, error) {
	switch o.SeedRepo {
	case SeedNone:
		return "", nil
	case "":
		example, err := fs.Sub(examples.Files, "fleet-repo")
		if err != nil {
			return "", fmt.Errorf("unpack the example repository: %w", err)
		}
		dir := filepath.Join(scratch, "seed")
		return dir, os.CopyFS(dir, example)
	default:
		return filepath.Abs(o.SeedRepo)
	}
}

// runDemo starts a lab, shows it until ctx ends, and stops it. An end that was
// asked for is no error, however early it came.
func runDemo(ctx context.Context, o DemoOptions, options Options, console *console) error {
	defer console.Close()
	starting, cancel := context.WithTimeoutCause(ctx, o.ReadyTimeout, fmt.Errorf("not ready within %s (--ready-timeout)", o.ReadyTimeout))
	defer cancel()
	lab, err := Start(starting, options)
	if err != nil {
		return unlessAsked(ctx, err)
	}
	defer lab.Stop()
	if err := lab.Ready(starting); err != nil {
		return unlessAsked(ctx, err)
	}
	contract, err := lab.Contract(ctx)
	if err != nil {
		return unlessAsked(ctx, err)
	}
	if o.Headless {
		if err := json.NewEncoder(o.Stdout).Encode(contract); err != nil {
			return fmt.Errorf("tell where everything is: %w", err)
		}
		<-ctx.Done()
		return nil
	}
	err = lab.show(ctx, o, contract, console)
	console.Say("ending everything")
	return unlessAsked(ctx, err)
}

// unlessAsked drops an error that only says that the demo was told to end.
func unlessAsked(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
