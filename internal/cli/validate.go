package cli

import (
	"context"
	"fmt"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/spf13/cobra"
)

func (a *app) validateCommand() *cobra.Command {
	var files fileFlags
	var output string
	c := &cobra.Command{
		Use:   "validate DIR",
		Short: "Find what is wrong in a repository, with file and line, before it is pushed",
		Long: `Find what is wrong in a repository, with file and line, before it is pushed.

Reads every bundle under DIR as the hub would. With --inventory every bundle is
also matched and rendered for every cluster, which finds what only shows there.

Exit code: 0 nothing is wrong (warnings may be printed), 1 there are errors,
3 DIR cannot be read.`,
		Example: `  muster validate .
  muster validate . --inventory inventory.yaml
  muster validate . -o json`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error { return a.validate(c.Context(), files, given[0], output) },
	}
	files.bind(c)
	c.Flags().StringVarP(&output, "output", "o", "", "json")
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

func (a *app) validate(ctx context.Context, files fileFlags, dir, output string) error {
	if err := onlyJSON(output); err != nil {
		return err
	}
	if err := directory(dir); err != nil {
		return &exitError{Code: ExitTimedOut, Err: err}
	}
	f, err := files.load(dir)
	if err != nil {
		return err
	}
	problems := f.read.Problems
	if files.Inventory != "" {
		found, err := a.renderProblems(ctx, f)
		if err != nil {
			return err
		}
		problems = append(problems, found...)
	}
	return a.printProblems(problems, len(f.read.Bundles)+len(f.read.Broken), dir, output)
}

func (a *app) printProblems(problems []v1alpha1.Problem, bundles int, dir, output string) error {
	findings := make([]finding, 0, len(problems))
	errs := 0
	for _, p := range problems {
		findings = append(findings, finding{p.File, p.Line, p.Column, p.Severity, p.Code, p.Message, p.Suggestion, p.Bundle})
		if p.Severity == bundle.Error {
			errs++
		}
	}
	if err := a.printFindings(findings, problems, output); err != nil {
		return err
	}
	if output == "" {
		a.notef("%s: %d bundle(s), %d error(s), %d warning(s)", dir, bundles, errs, len(problems)-errs)
	}
	if errs > 0 {
		return said(ExitFailed)
	}
	return nil
}

func (a *app) printFindings(findings []finding, problems []v1alpha1.Problem, output string) error {
	if output == "json" {
		return a.printValue(findings, "json")
	}
	for _, p := range problems {
		if _, err := fmt.Fprintln(a.Out, problemLine(p)); err != nil {
			return err
		}
	}
	return nil
}

func onlyJSON(output string) error {
	if output != "" && output != "json" {
		return usagef("unknown output %q; there is json", output)
	}
	return nil
}
