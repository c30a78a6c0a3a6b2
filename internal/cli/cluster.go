package cli

import "github.com/spf13/cobra"

func (a *app) clusterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "Let clusters join the hub, and leave it",
		Example: `  muster cluster token --name eu-1 --labels env=prod,region=eu
  muster cluster join eu-1 --to-context eu-1
  muster cluster rm eu-1 --drain`,
	}
	c.AddCommand(a.tokenCommand(), a.joinCommand(), a.removeCommand())
	return c
}
