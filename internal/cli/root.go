package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/spf13/cobra"
)

// Streams are where a command reads and writes. Stdout carries what was asked
// for and nothing else.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs one command line and returns the exit code of the process.
func Run(ctx context.Context, version string, args []string, streams Streams) int {
	root := New(version, streams)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	// The first interrupt cancels ctx; what fails after that failed because of it.
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return ExitInterrupted
	}
	var exit *exitError
	if err != nil && (!errors.As(err, &exit) || exit.Err != nil) {
		fmt.Fprintf(streams.Err, "muster: %s\n", strings.TrimSpace(err.Error()))
	}
	return exitCode(err)
}

// New builds the command tree.
func New(version string, streams Streams) *cobra.Command {
	app := &app{Streams: streams, version: version}
	root := &cobra.Command{
		Use:   "muster",
		Short: "Keep fleets of Kubernetes clusters equal to Git",
		Long: `Muster keeps fleets of Kubernetes clusters equal to Git.

Without a hub, on files alone: validate, match, why, render.
On this machine, with nothing but the binaries: demo.
With a hub (current kubeconfig context): get, approve, cluster.`,
		Example: `  muster validate examples/fleet-repo
  muster match examples/fleet-repo --inventory examples/inventory.yaml
  muster get bundles -A
  muster demo`,
		Version:           version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetVersionTemplate("muster {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, c.CommandPath())
	})
	root.AddCommand(
		app.demoCommand(), lab.GitCommand(),
		app.validateCommand(), app.matchCommand(), app.whyCommand(), app.renderCommand(),
		app.getCommand(), app.approveCommand(), app.clusterCommand(), app.versionCommand(),
	)
	refuseUnknown(root)
	return root
}

// app is what commands share: streams and the flags that name a hub.
type app struct {
	Streams
	version string
}

// notef writes to stderr, for people.
func (a *app) notef(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.Out, "muster %s\n", a.version)
			return err
		},
	}
}

// args gives a mistake in the number of arguments its exit code.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return usagef("%w; usage: %s", err, c.UseLine())
		}
		return nil
	}
}

// refuseUnknown makes a mistyped command a mistake in usage, with the nearest name.
func refuseUnknown(c *cobra.Command) {
	for _, child := range c.Commands() {
		refuseUnknown(child)
	}
	if !c.HasSubCommands() {
		return
	}
	c.Args = func(c *cobra.Command, given []string) error {
		if len(given) == 0 {
			return nil
		}
		if near := nearest(given[0], names(c.Commands())); near != "" {
			return usagef("unknown command %q; did you mean %q?", c.CommandPath()+" "+given[0], c.CommandPath()+" "+near)
		}
		return usagef("unknown command %q; see %s --help", c.CommandPath()+" "+given[0], c.CommandPath())
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

func names(commands []*cobra.Command) []string {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return names
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
