package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
	"github.com/spf13/cobra"
)

// renderOptions are the flags of render.
type renderOptions struct {
	fileFlags
	renderFlags
	Cluster        string
	Labels         map[string]string
	TemplateValues string
	Bundle         string
	All            bool
	Output         string
	WithMetadata   bool
}

func (a *app) renderCommand() *cobra.Command {
	var o renderOptions
	c := &cobra.Command{
		Use:   "render DIR",
		Short: "Print what a cluster would be given, in the order it would be applied",
		Long: `Print what a cluster would be given, in the order it would be applied.

The cluster is one of the inventory (--cluster), or described by --labels. The
manifests come from the hub's own functions, rendered in the same confined child
process. Bundles that fail are named on stderr, the others are still printed.

Without --inventory, or without a GitRepo in it, every cluster is a target. Values
that bundles read from ConfigMaps and Secrets are taken from the inventory; a bundle
whose values are not there is named on stderr as decided on the cluster, or on the
hub, and is no failure. Values that a chart draws anew each time, such as
passwords, are printed as VOLATILE.

With -o, files that an earlier run for the same repository wrote into DIR and this
one does not are removed, unless somebody changed them or a bundle failed. DIR has
a list of what was written, .muster-render.

Exit code: 0 done, also if nothing matched; 1 a bundle failed.`,
		Example: `  muster render . --inventory inventory.yaml --cluster eu-1
  muster render . --labels env=prod,region=eu --bundle fleet-apps-checkout
  muster render . --inventory inventory.yaml --all-clusters -o out/`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeDirectory,
		RunE:              func(c *cobra.Command, given []string) error { return a.render(c.Context(), o, given[0]) },
	}
	o.fileFlags.bind(c)
	o.renderFlags.bind(c)
	c.Flags().StringVar(&o.Cluster, "cluster", "", "`name` of a cluster of the inventory, or of one described by --labels")
	c.Flags().StringToStringVarP(&o.Labels, "labels", "l", nil, "labels of the cluster, such as `env=prod`; over those it has in the inventory")
	c.Flags().StringVar(&o.TemplateValues, "template-values", "", "YAML `file` with the cluster's templateValues")
	c.Flags().StringVar(&o.Bundle, "bundle", "", "`name` of the only bundle to render")
	c.Flags().BoolVar(&o.All, "all-clusters", false, "every cluster of the inventory; needs -o")
	c.Flags().StringVarP(&o.Output, "output", "o", "", "`directory` for --all-clusters: WORKSPACE/CLUSTER/BUNDLE.yaml each")
	c.Flags().BoolVar(&o.WithMetadata, "with-metadata", false, "with the label and annotation by which agents own objects")
	completeNames(c, "bundle", &o.fileFlags, (*fleet).bundleNames)
	completeNames(c, "cluster", &o.fileFlags, (*fleet).clusterNames)
	return c
}

func (a *app) render(ctx context.Context, o renderOptions, dir string) error {
	if o.All != (o.Output != "") {
		return usagef("--all-clusters and -o DIR go together")
	}
	if o.All && (o.Cluster != "" || len(o.Labels) > 0) {
		return usagef("--all-clusters renders the clusters of the inventory; --cluster and --labels name one")
	}
	if err := o.renderFlags.check(); err != nil {
		return err
	}
	f, err := o.load(dir, a.In)
	if err != nil {
		return err
	}
	clusters, err := o.clusters(f)
	if err != nil {
		return err
	}
	f.inventory.clusters = clusters
	shop, err := newWorkshop(f, o.renderFlags, o.charts())
	if err != nil {
		return err
	}
	defer shop.close()
	r := &rendering{app: a, options: o, fleet: f, shop: shop}
	if o.All {
		return r.withWritten(func() error { return r.run(ctx) })
	}
	return r.run(ctx)
}

// clusters are those to render for.
func (o renderOptions) clusters(f *fleet) ([]targets.Cluster, error) {
	if o.All {
		if len(f.inventory.clusters) == 0 {
			return nil, usagef("--all-clusters: the inventory has no clusters")
		}
		return f.inventory.clusters, nil
	}
	c, err := o.cluster(f)
	if err != nil {
		return nil, err
	}
	if len(o.Labels) > 0 {
		c.Labels = mergeLabels(c.Labels, o.Labels)
	}
	if o.TemplateValues != "" {
		if c.TemplateValues, err = readValues(o.TemplateValues); err != nil {
			return nil, err
		}
	}
	return []targets.Cluster{c}, nil
}

// cluster is the one named, the only one there is, or one that --labels describe.
func (o renderOptions) cluster(f *fleet) (targets.Cluster, error) {
	known := f.inventory.clusters
	described := targets.Cluster{Workspace: defaultWorkspace, Name: o.Cluster}
	if f.repo != nil {
		described.Workspace = f.repo.Namespace
	}
	switch {
	case o.Cluster != "" && len(known) > 0:
		c, err := f.inventory.cluster(o.Cluster)
		if err != nil && len(o.Labels) > 0 && exitCode(err) != ExitUsage {
			return described, nil
		}
		return c, err
	case o.Cluster != "":
		return described, nil
	case len(o.Labels) > 0 || len(known) == 0:
		described.Name = "cluster"
		return described, nil
	case len(known) == 1:
		return known[0], nil
	}
	var names []string
	for _, c := range known {
		names = append(names, c.Name)
	}
	return described, usagef("choose a cluster with --cluster (%s), describe one with --labels, or take --all-clusters -o DIR", shorten(names))
}

// shorten lists at most ten names.
func shorten(names []string) string {
	if len(names) > 10 {
		return strings.Join(names[:10], ", ") + fmt.Sprintf(" and %d more", len(names)-10)
	}
	return strings.Join(names, ", ")
}

// rendering is one run of render.
type rendering struct {
	app     *app
	options renderOptions
	fleet   *fleet
	shop    *workshop
	matched int
	failed  bool
	named   lastNamed
	// written is where -o writes to.
	written *written
	// undecided are lines about bundles whose objects the files do not decide, each once.
	undecided map[string]bool
}

func (r *rendering) run(ctx context.Context) error {
	bundles, err := r.bundles()
	if err != nil {
		return err
	}
	r.failed = r.app.reportProblems(r.problems())
	if err := r.shop.each(ctx, r.fleet.pieces(bundles), r.take); err != nil {
		return err
	}
	if r.matched == 0 && !r.failed {
		r.app.notef("no bundle of %s matches %s; see muster match and muster why", r.fleet.dir, r.clusterText())
	}
	if r.failed {
		return said(ExitFailed)
	}
	return nil
}

// bundles to render, by name.
func (r *rendering) bundles() ([]*bundle.Bundle, error) {
	if r.options.Bundle == "" {
		return r.fleet.byName(), nil
	}
	b, err := r.fleet.bundle(r.options.Bundle)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", r.fleet.dir, err)
	}
	if b == nil {
		return nil, nil
	}
	return []*bundle.Bundle{b}, nil
}

// problems that matter for what was asked: errors, what keeps the hub from
// deploying what is printed, and of one bundle only if one is named.
func (r *rendering) problems() []v1alpha1.Problem {
	held := map[string]bool{}
	for _, b := range r.fleet.read.Bundles {
		held[b.Name] = len(b.Unsupported) > 0
	}
	return slices.DeleteFunc(r.fleet.problems(), func(p v1alpha1.Problem) bool {
		other := r.options.Bundle != "" && p.Bundle != "" && p.Bundle != r.options.Bundle
		holds := p.Code == bundle.CodeNotSupported && held[p.Bundle]
		inventory := slices.Contains(r.fleet.inventory.problems, p)
		return other || p.Severity != bundle.Error && !holds && !inventory
	})
}

// take prints what was made for one cluster, or why there is nothing to print.
func (r *rendering) take(m made) error {
	r.matched++
	var other *elsewhere
	switch {
	case errors.As(m.err, &other):
		r.tellOnce(fmt.Sprintf("bundle %s is decided %s: %s", m.bundle.Name, other.where, other.reason))
		return nil
	case m.err != nil:
		r.failed = true
		r.app.notef("%s", problemLine(onCluster(problemIn(m.bundle, m.decision, m.err), m.decision.cluster.Name), inkFor(r.app.Err)))
		return nil
	}
	return r.print(m.bundle, m.decision.cluster, m.item)
}

func (r *rendering) tellOnce(line string) {
	if r.undecided == nil {
		r.undecided = map[string]bool{}
	}
	if !r.undecided[line] {
		r.app.notef("%s", line)
	}
	r.undecided[line] = true
}

func (r *rendering) clusterText() string {
	if r.options.All {
		return "any cluster"
	}
	c := r.fleet.inventory.clusters[0]
	return fmt.Sprintf("cluster %s (labels %q)", c.Name, labelText(c.Labels))
}

func readValues(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read template values: %w", err)
	}
	values, err := yamlToJSON(data)
	if err != nil {
		return nil, fmt.Errorf("read template values %s: %w", file, err)
	}
	return values, nil
}
