package cli

import (
	"github.com/muster-dev/muster/internal/lab"
	"github.com/spf13/cobra"
)

func (a *app) demoCommand() *cobra.Command {
	o := lab.DemoOptions{Stdout: a.Out, Stderr: a.Err}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Start a hub and three clusters on this machine and follow a Git repository",
		Long: `Start a hub and three clusters on this machine and follow a Git repository.

Everything is real but the nodes: API servers, the manager, agents, a Git server
with an example repository. Push to it and see clusters change. Ctrl-C ends
everything and leaves no file behind, unless --data-dir says where to keep them.`,
		Example: `  muster demo
  muster demo --clusters 10
  muster demo --cluster eu-1=env=prod,region=eu --cluster lab-1 --seed-repo ./my-fleet
  muster demo --headless --data-dir /tmp/fleet`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Count > 0 && len(o.Clusters) > 0 {
				return usagef("--clusters numbers them, --cluster names them: use one")
			}
			return lab.Demo(c.Context(), o)
		},
	}
	c.Flags().BoolVar(&o.Headless, "headless", false, "print one JSON line when ready and nothing else; for scripts")
	c.Flags().StringVar(&o.DataDir, "data-dir", "", "empty or absent directory for all files, kept (default: a temporary one, removed)")
	c.Flags().IntVar(&o.Count, "clusters", 0, "this many clusters, cluster-1 to cluster-N, with their number as label n")
	c.Flags().StringArrayVar(&o.Clusters, "cluster", nil, "a cluster, as NAME or NAME=k=v,k2=v2; repeatable (default: canary-1, eu-1, us-1)")
	c.Flags().StringVar(&o.SeedRepo, "seed-repo", "", "directory that becomes the first commit, or none (default: the example repository)")
	c.Flags().DurationVar(&o.ReadyTimeout, "ready-timeout", lab.DefaultReadyTimeout, "give up when not ready after this long")
	return c
}
