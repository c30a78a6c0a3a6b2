package cli

import (
	"context"
	"fmt"
	"path"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/spf13/cobra"
)

// validateOptions are the flags of validate.
type validateOptions struct {
	fileFlags
	renderFlags
	Output  string
	Verbose bool
}

func (a *app) validateCommand() *cobra.Command {
	var o validateOptions
	c := &cobra.Command{
		Use:   "validate DIR",
		Short: "Find what is wrong in a repository, with file and line, before it is pushed",
		Long: `Find what is wrong in a repository, with file and line, before it is pushed.

Reads every bundle under DIR as the hub would, and renders it as far as that does
not depend on a cluster. With --inventory every bundle is matched and rendered for
every cluster, which finds what only shows there, and objects that two bundles hold
on one cluster. Charts that are not in the repository are fetched with --inventory
and --fetch-charts only.

Warnings are what deserves a look and is not wrong: template functions that print
something else each time, bundles whose objects are decided on the cluster, and
faults that a cluster may cure, until an inventory says which clusters there are.

Exit code: 0 nothing is wrong (warnings may be printed), 1 there are errors,
3 DIR cannot be read.`,
		Example: `  muster validate .
  muster validate . --inventory inventory.yaml
  kubectl get clusters.muster.dev,gitrepos.muster.dev -A -o yaml | muster validate . --inventory -
  muster validate . -o json`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeDirectory,
		RunE:              func(c *cobra.Command, given []string) error { return a.validate(c.Context(), o, given[0]) },
	}
	o.fileFlags.bind(c)
	o.renderFlags.bind(c)
	c.Flags().StringVarP(&o.Output, "output", "o", "", "json")
	c.Flags().BoolVarP(&o.Verbose, "verbose", "v", false, "list on stderr the files of bundles that are ignored because they are no manifests")
	completeFixed(c, "output", "json")
	return c
}

// finding is one problem as validate -o json prints it; every key is always there.
type finding struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Severity   string `json:"severity"`
	Code       string `json:"code"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion"`
	Bundle     string `json:"bundle"`
}

func (a *app) validate(ctx context.Context, o validateOptions, dir string) error {
	if err := onlyJSON(o.Output); err != nil {
		return err
	}
	if err := o.renderFlags.check(); err != nil {
		return err
	}
	if err := directory(dir); err != nil {
		return &exitError{Code: ExitTimedOut, Err: err}
	}
	f, err := o.load(dir, a.In)
	if err != nil {
		return err
	}
	found, err := o.check(ctx, f)
	if err != nil {
		return err
	}
	if o.Verbose {
		a.printSkipped(f)
	}
	problems := append(f.problems(), found...)
	sortProblems(problems)
	return a.printProblems(problems, len(f.read.Bundles)+len(f.read.Broken), dir, o.Output)
}

// check renders as far as that needs no cluster, and for those of the inventory.
func (o *validateOptions) check(ctx context.Context, f *fleet) ([]v1alpha1.Problem, error) {
	charts, c := o.charts(), &checks{howToFetch: "--fetch-charts fetches it, without credentials"}
	if len(o.Inventory) == 0 {
		charts, c.howToFetch = &chartSource{}, "--inventory FILE with --fetch-charts fetches it, without credentials"
	}
	shop, err := newWorkshop(f, o.renderFlags, charts)
	if err != nil {
		return nil, err
	}
	defer shop.close()
	if err := shop.each(ctx, f.checked(), c.take); err != nil {
		return nil, err
	}
	return c.problems(), nil
}

// printSkipped lists what lies in a bundle and is no manifest.
func (a *app) printSkipped(f *fleet) {
	for _, b := range f.byName() {
		for _, file := range bundle.Skipped(*b) {
			a.notef("%s: ignored: nothing makes objects of it in bundle %s", path.Join(b.Path, file), b.Name)
		}
	}
}

func (a *app) printProblems(problems []v1alpha1.Problem, bundles int, dir, output string) error {
	findings := make([]finding, 0, len(problems))
	errs, code := 0, ExitFailed
	for _, p := range problems {
		findings = append(findings, finding{p.File, p.Line, p.Column, p.Severity, p.Code, p.Message, p.Suggestion, p.Bundle})
		if p.Severity == bundle.Error {
			errs++
		}
		if p.Severity == bundle.Error && p.Code == bundle.CodeUnreadable {
			code = ExitTimedOut // 3: what could not be read, nobody can judge
		}
	}
	if err := a.printFindings(findings, problems, output); err != nil {
		return err
	}
	if output == "" {
		a.notef("%s: %s, %s, %s", dir, count(bundles, "bundle"), count(errs, "error"), count(len(problems)-errs, "warning"))
	}
	if errs > 0 {
		return said(code)
	}
	return nil
}

func (a *app) printFindings(findings []finding, problems []v1alpha1.Problem, output string) error {
	if output == "json" {
		return a.printValue(findings, "json")
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(a.Out, problemLine(p, inkFor(a.Out))); err != nil {
			return err
		}
	}
	return nil
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func onlyJSON(output string) error {
	if output != "" && output != "json" {
		return usagef("unknown output %q; there is json", output)
	}
	return nil
}
