package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/targets"
	"github.com/spf13/cobra"
)

// renderOptions are the flags of render.
type renderOptions struct {
	fileFlags
	Cluster        string
	Labels         map[string]string
	TemplateValues string
	KubeVersion    string
	APIVersions    []string
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
process. Bundles that fail are named on stderr, the others are still printed.`,
		Example: `  muster render . --inventory inventory.yaml --cluster eu-1
  muster render . --labels env=prod,region=eu --bundle fleet-apps-checkout
  muster render . --inventory inventory.yaml --all-clusters -o out/`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error { return a.render(c.Context(), o, given[0]) },
	}
	o.bind(c)
	c.Flags().StringVar(&o.Cluster, "cluster", "", "cluster of the inventory, or the name of one described by --labels")
	c.Flags().StringToStringVarP(&o.Labels, "labels", "l", nil, "labels of the cluster; over those it has in the inventory")
	c.Flags().StringVar(&o.TemplateValues, "template-values", "", "YAML file with the cluster's templateValues")
	c.Flags().StringVar(&o.KubeVersion, "kube-version", "", "Kubernetes version that charts see, such as v1.36.0")
	c.Flags().StringSliceVar(&o.APIVersions, "api-versions", nil, "API versions that charts see, such as monitoring.coreos.com/v1")
	c.Flags().StringVar(&o.Bundle, "bundle", "", "this bundle only")
	c.Flags().BoolVar(&o.All, "all-clusters", false, "every cluster of the inventory; needs -o")
	c.Flags().StringVarP(&o.Output, "output", "o", "", "directory for --all-clusters: WORKSPACE/CLUSTER/BUNDLE.yaml each")
	c.Flags().BoolVar(&o.WithMetadata, "with-metadata", false, "with the label and annotation by which agents own objects")
	return c
}

func (a *app) render(ctx context.Context, o renderOptions, dir string) error {
	if o.All != (o.Output != "") {
		return usagef("--all-clusters and -o DIR go together")
	}
	if o.All && (o.Cluster != "" || len(o.Labels) > 0) {
		return usagef("--all-clusters renders the clusters of the inventory; --cluster and --labels name one")
	}
	f, err := o.load(dir)
	if err != nil {
		return err
	}
	clusters, err := o.clusters(f)
	if err != nil {
		return err
	}
	f.inventory.clusters = clusters
	pool, err := renderer.New(renderer.Options{Files: true})
	if err != nil {
		return err
	}
	defer pool.Close()
	r := &rendering{app: a, options: o, fleet: f, render: pool.Render}
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
	render  renderer.Renderer
	matched int
	failed  bool
}

func (r *rendering) run(ctx context.Context) error {
	bundles, err := r.bundles()
	if err != nil {
		return err
	}
	r.failed = r.app.reportProblems(r.problems())
	for i := range bundles {
		if err := r.bundle(ctx, bundles[i]); err != nil {
			return err
		}
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
	if r.options.Bundle != "" {
		b, err := r.fleet.bundle(r.options.Bundle)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", r.fleet.dir, err)
		}
		if b == nil {
			return nil, nil
		}
		return []*bundle.Bundle{b}, nil
	}
	var all []*bundle.Bundle
	for i := range r.fleet.read.Bundles {
		all = append(all, &r.fleet.read.Bundles[i])
	}
	slices.SortFunc(all, func(a, b *bundle.Bundle) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// problems that matter for what was asked: errors, and of one bundle if one is named.
func (r *rendering) problems() []v1alpha1.Problem {
	return slices.DeleteFunc(slices.Clone(r.fleet.read.Problems), func(p v1alpha1.Problem) bool {
		other := r.options.Bundle != "" && p.Bundle != "" && p.Bundle != r.options.Bundle
		return p.Severity != bundle.Error || other
	})
}

// bundle renders one bundle for every cluster that gets it.
func (r *rendering) bundle(ctx context.Context, b *bundle.Bundle) error {
	for _, d := range r.fleet.matches(b) {
		if d.Err == nil && !d.Matched {
			continue
		}
		r.matched++
		item, err := r.item(ctx, b, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.failed = true
			r.app.notef("%s", problemLine(renderProblem(b, d, err)))
			continue
		}
		if err := r.print(b, d.cluster, item); err != nil {
			return err
		}
	}
	return nil
}

func (r *rendering) item(ctx context.Context, b *bundle.Bundle, d decision) (content.Item, error) {
	if d.Err != nil {
		return content.Item{}, d.Err
	}
	facts := renderer.Facts{KubeVersion: r.options.KubeVersion, APIVersions: r.options.APIVersions}
	return r.render(ctx, inputsFor(b, d, facts))
}

// inputsFor are what the hub would render.
func inputsFor(b *bundle.Bundle, d decision, facts renderer.Facts) renderer.Inputs {
	in := renderer.Inputs{
		Bundle: b.Name, Kind: bundle.KindOf(b.Files, d.Options), Files: b.Files,
		Options: d.Options, Context: d.Context, Facts: facts,
	}
	if in.Context == nil && renderer.NeedsContext(b.Files, d.Options) {
		in.Context = &targets.Context{
			ClusterNamespace: d.cluster.Workspace, ClusterName: d.cluster.Name,
			ClusterLabels: d.cluster.Labels, ClusterAnnotations: d.cluster.Annotations, ClusterValues: d.cluster.TemplateValues,
		}
	}
	return in
}

// renderProblem says where in the repository a render failed, and for whom.
func renderProblem(b *bundle.Bundle, d decision, err error) v1alpha1.Problem {
	p := v1alpha1.Problem{Code: "RenderFailed", Message: err.Error()}
	var problem *renderer.Problem
	if errors.As(err, &problem) {
		p = problem.Problem
	}
	if p.File != "" {
		p.File = path.Join(b.Path, p.File)
	} else {
		where := optionPosition(b, d, p.Message)
		p.File, p.Line, p.Column = where.File, where.Line, where.Column
	}
	p.Severity, p.Bundle = bundle.Error, b.Name
	p.Message = fmt.Sprintf("bundle %s on cluster %s: %s", b.Name, d.cluster.Name, p.Message)
	return p
}

// optionPosition finds the option that a message without a file begins with, such
// as "helm.values: ...", else the customization taken, else the bundle.
func optionPosition(b *bundle.Bundle, d decision, message string) bundle.Position {
	option, _, _ := strings.Cut(message, ":")
	if where, ok := b.Where[option]; ok {
		return where
	}
	if d.Where.File != "" {
		return d.Where
	}
	return bundle.Position{File: path.Join(b.Path, b.OptionsFile)}
}

func (r *rendering) clusterText() string {
	if r.options.All {
		return "any cluster"
	}
	c := r.fleet.inventory.clusters[0]
	return fmt.Sprintf("cluster %s (labels %q)", c.Name, labelText(c.Labels))
}

// renderProblems renders everything for everyone, for validate; each problem once.
func (a *app) renderProblems(ctx context.Context, f *fleet) ([]v1alpha1.Problem, error) {
	pool, err := renderer.New(renderer.Options{})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	r := &rendering{app: a, fleet: f, render: pool.Render}
	var problems []v1alpha1.Problem
	bundles, err := r.bundles()
	if err != nil {
		return nil, err
	}
	for _, b := range bundles {
		for _, d := range f.matches(b) {
			if d.Err == nil && !d.Matched {
				continue
			}
			if _, err := r.item(ctx, b, d); err != nil {
				problems = append(problems, renderProblem(b, d, err))
			}
		}
	}
	return problems, ctx.Err()
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
