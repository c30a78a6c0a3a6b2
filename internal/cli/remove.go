package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// drainPoll is how often the hub is asked whether a cluster is empty.
const drainPoll = time.Second

func (a *app) removeCommand() *cobra.Command {
	var o hubFlags
	var drain bool
	c := &cobra.Command{
		Use:   "rm NAME",
		Short: "Forget a cluster and revoke its agent; with --drain, first remove what was deployed there",
		Long: `Forget a cluster and revoke its agent.

Nothing on the cluster is deleted: the agent is refused from then on, keeps what
runs and corrects nothing more. With --drain every bundle is removed from the
cluster first; the Cluster goes when the agent has reported that all is gone.`,
		Example: `  muster cluster rm eu-1
  muster cluster rm eu-1 --drain --timeout 10m`,
		Args:    args(cobra.ExactArgs(1)),
		Aliases: []string{"remove"},
		RunE: func(c *cobra.Command, given []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), o.Timeout)
			defer cancel()
			return a.remove(ctx, o, given[0], drain)
		},
		ValidArgsFunction: a.completeCluster(&o),
	}
	o.bind(c)
	c.Flags().BoolVar(&drain, "drain", false, "remove every bundle from the cluster first, and wait for it")
	return c
}

func (a *app) remove(ctx context.Context, o hubFlags, name string, drain bool) error {
	h, err := o.dial()
	if err != nil {
		return err
	}
	k, err := kindNamed("clusters")
	if err != nil {
		return err
	}
	path := k.path(h.workspace) + "/" + name
	if drain {
		if err := a.drain(ctx, h, path, name); err != nil {
			return err
		}
	}
	if err := h.delete(ctx, path); err != nil {
		return err
	}
	what := "its agent is revoked, what runs there keeps running"
	if drain {
		what = "its agent is revoked, its bundles were removed"
	}
	_, err = fmt.Fprintf(a.Out, "forgot cluster %s/%s: %s\n", h.workspace, name, what)
	return err
}

// drain asks for removals and waits until the agent has reported them done: a
// removal stays in the assignment until a report no longer lists the bundle.
func (a *app) drain(ctx context.Context, h *hub, path, name string) error {
	if err := h.annotate(ctx, path, map[string]string{v1alpha1.AnnotationDrain: "true"}); err != nil {
		return err
	}
	left := -1
	for {
		bundles, removals, err := h.assigned(ctx, name)
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil && bundles+removals == 0:
			return nil
		case err == nil && bundles+removals != left:
			left = bundles + removals
			a.notef("draining cluster %s/%s: %d bundle(s) left", h.workspace, name, left)
		}
		if pause(ctx, drainPoll) != nil {
			return fmt.Errorf("drain cluster %s/%s: %d bundle(s) left: %w; it goes on, run the same command again", h.workspace, name, left, context.Cause(ctx))
		}
	}
}

// assigned counts what a cluster still runs or removes.
func (h *hub) assigned(ctx context.Context, cluster string) (bundles, removals int, err error) {
	k, err := kindNamed("assignments")
	if err != nil {
		return 0, 0, err
	}
	var assignment v1alpha1.Assignment
	err = h.get(ctx, k.path(h.system)+"/"+h.workspace+"."+cluster, &assignment)
	if apierrors.IsNotFound(err) {
		// A cluster that never joined was never assigned anything.
		return 0, 0, nil
	}
	return assignment.Spec.Bundles, assignment.Spec.Removals, err
}
