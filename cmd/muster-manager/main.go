// Command muster-manager runs the hub: controllers, gateway and webhooks.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // Schedules name time zones, and small images have none.

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/muster-dev/muster/internal/manager"
	"github.com/muster-dev/muster/internal/renderer"
)

// version is set when the program is linked.
var version = "dev"

func main() {
	// Without muster-render beside it the manager renders in children of itself.
	if len(os.Args) == 2 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "muster-manager:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := manager.Options{Version: version}
	cmd := &cobra.Command{
		Use:           "muster-manager",
		Short:         "Runs Muster's hub: follows Git, decides what each cluster runs, serves the agents",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return err
			}
			log := logger()
			klog.SetLogger(log)
			ctrl.SetLogger(log)
			return manager.Run(klog.NewContext(cmd.Context(), log), o)
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

func logger() logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil))
}
