package lab

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
)

// gitCommandName is the hidden subcommand of muster that serves Git.
const gitCommandName = "demo-git"

// GitOptions say what a lab's Git server serves.
type GitOptions struct {
	// Root is the directory of the bare repositories, Listen the loopback address.
	Root, Listen string
	// Kubeconfig of the hub, Gateway the manager's address: where to tell of pushes.
	Kubeconfig, Gateway string
}

// GitCommand is the hidden command that the demo starts as its Git server: a
// process of its own, so that it can be stopped and killed like a real one.
func GitCommand() *cobra.Command {
	var o GitOptions
	command := &cobra.Command{
		Use: gitCommandName, Hidden: true, Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return ServeGit(command.Context(), o) },
	}
	flags := command.Flags()
	flags.StringVar(&o.Root, "root", "", "directory of the bare repositories")
	flags.StringVar(&o.Listen, "listen", "", "loopback address to serve on")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "the hub's kubeconfig")
	flags.StringVar(&o.Gateway, "gateway", "", "the manager's address")
	return command
}

func (o GitOptions) args() []string {
	return []string{gitCommandName, "--root=" + o.Root, "--listen=" + o.Listen, "--kubeconfig=" + o.Kubeconfig, "--gateway=" + o.Gateway}
}

// ServeGit serves until ctx ends.
func ServeGit(ctx context.Context, o GitOptions) error {
	if !strings.HasPrefix(o.Listen, "127.0.0.1:") {
		return fmt.Errorf("serve Git on %q: it takes anonymous pushes, so only 127.0.0.1 will do", o.Listen)
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return fmt.Errorf("serve Git: %w", err)
	}
	followers, err := gitserver.NewFollowers(config, o.Gateway, o.Listen)
	if err != nil {
		return err
	}
	server, err := gitserver.New(o.Root, func(p gitserver.Push) { followers.Tell(ctx, p) })
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("serve Git: %w", err)
	}
	go followers.Run(ctx)
	return server.Serve(ctx, listener)
}
