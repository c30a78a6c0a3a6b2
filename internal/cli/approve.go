package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/spf13/cobra"
)

// hubRestore is the hold of a hub whose store went back in time.
const hubRestore = "hub-restore"

// approveOptions are the flags of approve.
type approveOptions struct {
	hubFlags
	Reason string
}

func (a *app) approveCommand() *cobra.Command {
	var o approveOptions
	c := &cobra.Command{
		Use:   "approve bundle/NAME [HOLD] | gitrepo/NAME [HOLD] | hub-restore",
		Short: "Release what is held: a loss of objects or clusters, or writing after a hub was restored",
		Long: `Release what is held.

A change that would delete unusually much is held: additions and updates go on,
what would be lost stays. A GitRepo holds bundles that left the repository.
Approving writes the annotation muster.dev/approve on the object, with your name
and reason beside it; kubectl annotate does the same.

Without HOLD the only hold is approved; if there are several they are listed.
"hub-restore" lets a hub write again that was restored from a backup.`,
		Example: `  muster approve bundle/fleet-apps --reason "we really drop the old CRDs"
  muster approve bundle/fleet-apps loss-3f2a9c
  muster approve gitrepo/fleet
  muster approve hub-restore`,
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, given []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), o.Timeout)
			defer cancel()
			return a.approve(ctx, o, given)
		},
		ValidArgsFunction: a.completeHeld(&o.hubFlags),
	}
	o.bind(c)
	c.Flags().StringVar(&o.Reason, "reason", "", "why; recorded with the approval")
	return c
}

func (a *app) approve(ctx context.Context, o approveOptions, given []string) error {
	word, name, slash := strings.Cut(given[0], "/")
	if given[0] == hubRestore {
		return a.approveRestore(ctx, o)
	}
	if !slash || name == "" {
		return usagef("approve %q: want bundle/NAME, gitrepo/NAME or hub-restore", given[0])
	}
	k, err := kindNamed(word)
	if err != nil {
		return err
	}
	if k.Kind != "Bundle" && k.Kind != "GitRepo" {
		return usagef("approve %s: only bundles and gitrepos hold something", given[0])
	}
	h, err := o.dial()
	if err != nil {
		return err
	}
	path := k.path(h.workspace) + "/" + name
	holds, err := h.holds(ctx, path)
	if err != nil {
		return err
	}
	hold, err := a.choose(k.Singular+"/"+name, holds, given[1:])
	if err != nil {
		return err
	}
	return a.writeApproval(ctx, h, path, hold, o.Reason)
}

// holds of a Bundle or a GitRepo.
func (h *hub) holds(ctx context.Context, path string) ([]v1alpha1.Hold, error) {
	var holder struct {
		Status struct {
			Holds []v1alpha1.Hold `json:"holds"`
		} `json:"status"`
	}
	err := h.get(ctx, path, &holder)
	return holder.Status.Holds, err
}

// choose returns the hold a person means.
func (a *app) choose(holder string, holds []v1alpha1.Hold, given []string) (string, error) {
	if len(holds) == 0 {
		return "", fmt.Errorf("approve %s: it holds nothing", holder)
	}
	if len(given) == 0 && len(holds) == 1 {
		return holds[0].ID, nil
	}
	for _, hold := range holds {
		if len(given) == 1 && hold.ID == given[0] {
			return hold.ID, nil
		}
	}
	if err := a.listHolds(holds); err != nil {
		return "", err
	}
	if len(given) == 0 {
		return "", usagef("approve %s: it has %d holds, name one of them", holder, len(holds))
	}
	return "", fmt.Errorf("approve %s: it has no hold %q", holder, given[0])
}

func (a *app) listHolds(holds []v1alpha1.Hold) error {
	out := newTable(a.Out)
	out.row("HOLD", "REASON", "MESSAGE")
	for _, hold := range holds {
		out.row(hold.ID, hold.Reason, hold.Message)
	}
	return out.flush()
}

// approveRestore lets a restored hub write again.
func (a *app) approveRestore(ctx context.Context, o approveOptions) error {
	h, err := o.dial()
	if err != nil {
		return err
	}
	return a.writeApproval(ctx, h, h.settingsPath(), hubRestore, o.Reason)
}

// settingsPath is the ConfigMap in which the manager publishes its address.
func (h *hub) settingsPath() string {
	return "/api/v1/namespaces/" + h.system + "/configmaps/muster-hub"
}

func (a *app) writeApproval(ctx context.Context, h *hub, path, hold, reason string) error {
	by, err := h.whoami(ctx)
	if err != nil || by == "" {
		// API servers before 1.28 cannot tell; the audit log still can.
		by = os.Getenv("USER")
	}
	err = h.annotate(ctx, path, map[string]string{
		v1alpha1.AnnotationApprove: hold, v1alpha1.AnnotationApprovedBy: by, v1alpha1.AnnotationApproveReason: reason,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, "approved %s of %s\n", hold, thing(path))
	return err
}
