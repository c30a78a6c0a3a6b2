package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// getOptions are the flags of get.
type getOptions struct {
	hubFlags
	All    bool
	Output string
	Watch  bool
}

func (a *app) getCommand() *cobra.Command {
	var o getOptions
	c := &cobra.Command{
		Use:   "get KIND[/NAME] [NAME...]",
		Short: "Show what is on the hub: gitrepos, bundles, clusters, clustergroups, assignments, reports, rollouts, jointokens",
		Long: `Show what is on the hub, in the columns kubectl shows.

Kinds: gitrepos (mgr), bundles (mb), clusters (mc), clustergroups (mcg),
jointokens (mjt); and Muster's own assignments (ma), clusterreports (mcr) and
rollouts (mro), which live in the manager's namespace and are named after their
cluster or bundle.`,
		Example: `  muster get gitrepos
  muster get bundles -A -o wide
  muster get cluster/eu-1 -o yaml
  muster get assignment eu-1
  muster get clusters -w`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error { return a.get(c.Context(), o, given) },
	}
	o.bind(c)
	c.Flags().BoolVarP(&o.All, "all-namespaces", "A", false, "all workspaces")
	c.Flags().StringVarP(&o.Output, "output", "o", "", "json, yaml, wide or name")
	c.Flags().BoolVarP(&o.Watch, "watch", "w", false, "go on printing what changes")
	c.ValidArgsFunction = a.completeKindAndName(&o.hubFlags)
	completeFixed(c, "output", "json", "yaml", "wide", "name")
	return c
}

// query is what one get asks for.
type query struct {
	kind      kind
	names     []string // none means all
	workspace string   // empty means all
	output    string
	watch     bool
}

func (a *app) get(ctx context.Context, o getOptions, given []string) error {
	q, err := o.query(given)
	if err != nil {
		return err
	}
	h, err := o.dial()
	if err != nil {
		return err
	}
	if q.workspace = h.workspace; o.All {
		q.workspace = ""
	}
	if q.watch {
		return a.watch(ctx, h, q)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if q.output == "json" || q.output == "yaml" {
		return a.printObjects(ctx, h, q)
	}
	return a.printTable(ctx, h, q)
}

// query checks the arguments before anything is asked.
func (o getOptions) query(given []string) (query, error) {
	word, name, slash := strings.Cut(given[0], "/")
	k, err := kindNamed(word)
	if err != nil {
		return query{}, err
	}
	names := given[1:]
	if slash {
		names = append([]string{name}, names...)
	}
	switch {
	case !slices.Contains([]string{"", "json", "yaml", "wide", "name"}, o.Output):
		return query{}, usagef("unknown output %q; there are json, yaml, wide and name", o.Output)
	case o.All && len(names) > 0:
		return query{}, usagef("a name and --all-namespaces exclude each other; name the workspace with -n")
	case o.Watch && (o.Output == "json" || o.Output == "yaml"):
		return query{}, usagef("--watch prints rows; -o %s does not go with it", o.Output)
	case o.Watch && len(names) > 1:
		return query{}, usagef("--watch takes one name or none")
	}
	return query{kind: k, names: names, output: o.Output, watch: o.Watch}, nil
}

// namespace is where the objects of the query are on the hub.
func (q query) namespace(h *hub) string {
	if q.kind.Machine {
		return h.system
	}
	return q.workspace
}

// object is the name on the hub of what a person calls name.
func (q query) object(name string) string {
	if !q.kind.Machine || strings.HasPrefix(name, q.workspace+".") {
		return name
	}
	return q.workspace + "." + name
}

// wants tells whether an object of a list belongs to the workspace asked for.
func (q query) wants(name string) bool {
	return !q.kind.Machine || q.workspace == "" || strings.HasPrefix(name, q.workspace+".")
}

// nothing says on stderr why a list is empty.
func (a *app) nothing(h *hub, q query) {
	where := "in workspace " + q.workspace
	if q.workspace == "" {
		where = "in any workspace"
	}
	hint := q.kind.Hint
	if q.workspace != "" {
		hint += "; -A looks into every workspace"
	}
	a.notef("no %s %s on %s; %s", q.kind.Plural, where, h.address, hint)
}

// label is how -o name calls an object.
func (k kind) label(name string) string { return fmt.Sprintf("%s.muster.dev/%s", k.Singular, name) }
