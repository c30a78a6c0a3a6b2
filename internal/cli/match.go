package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
	"github.com/spf13/cobra"
)

func (a *app) matchCommand() *cobra.Command {
	var files fileFlags
	var output string
	c := &cobra.Command{
		Use:   "match DIR --inventory FILE",
		Short: "Show which cluster gets which bundle, and why not",
		Long: `Show which cluster gets which bundle, and why not: for every pair the target and
the customizations that decided, from files alone, by the hub's own functions.`,
		Example: `  muster match . --inventory inventory.yaml
  muster match . --inventory inventory.yaml -o json | jq '.matches[] | select(.matched)'`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeDirectory,
		RunE:              func(c *cobra.Command, given []string) error { return a.match(c.Context(), files, given[0], output) },
	}
	files.bind(c)
	c.Flags().StringVarP(&output, "output", "o", "", "json")
	completeFixed(c, "output", "json")
	return c
}

// pair is the decision for one bundle and one cluster; every key is always there.
type pair struct {
	Cluster        string   `json:"cluster"`
	Workspace      string   `json:"workspace"`
	Bundle         string   `json:"bundle"`
	Path           string   `json:"path"`
	Matched        bool     `json:"matched"`
	Target         string   `json:"target"`
	Customizations []string `json:"customizations"`
	OptionsDigest  string   `json:"optionsDigest"`
	Reason         string   `json:"reason"`
	File           string   `json:"file"`
	Line           int      `json:"line"`
	Error          string   `json:"error"`
}

func (a *app) match(ctx context.Context, files fileFlags, dir, output string) error {
	if err := onlyJSON(output); err != nil {
		return err
	}
	f, err := files.inventoried(dir, a.In)
	if err != nil {
		return err
	}
	failed := a.reportProblems(f.problems())
	a.tellOfNothing(f)
	rows := matching{fleet: f, out: bufio.NewWriter(a.Out)}
	if output == "json" {
		err = rows.printJSON(ctx)
	} else {
		err = rows.printTable(ctx)
	}
	if err == nil && (failed || rows.failed) {
		return said(ExitFailed)
	}
	return err
}

// tellOfNothing says why there is nothing to decide, if there is nothing.
func (a *app) tellOfNothing(f *fleet) {
	switch {
	case len(f.inventory.clusters) == 0:
		a.notef("the inventory has no Cluster")
	case len(f.read.Bundles)+len(f.read.Broken) == 0 && len(f.read.Problems) == 0:
		a.notef("%s has no bundle", f.dir)
	}
}

// inventoried loads and insists on an inventory.
func (f *fileFlags) inventoried(dir string, in io.Reader) (*fleet, error) {
	if len(f.Inventory) == 0 {
		return nil, usagef("name the clusters with --inventory FILE")
	}
	return f.load(dir, in)
}

func pairOf(b *bundle.Bundle, m targets.Match) pair {
	p := pair{
		Cluster: m.Cluster, Workspace: m.Workspace, Bundle: b.Name, Path: b.Path, Matched: m.Matched,
		Target: m.Target, Customizations: m.Customizations, OptionsDigest: m.OptionsDigest,
		Reason: m.Reason, File: m.Where.File, Line: m.Where.Line,
	}
	if m.Err != nil {
		p.Error = m.Err.Error()
	}
	if p.Customizations == nil {
		p.Customizations = []string{}
	}
	return p
}

// brokenPair stands for a bundle that cannot be read: it keeps what it runs.
func (f *fleet) brokenPair(name string) pair {
	problem := f.problemOf(name)
	return pair{
		Bundle: name, Path: f.pathOf(name, problem), Customizations: []string{},
		File: problem.File, Line: problem.Line, Error: problem.Message,
	}
}

func (p pair) on(c targets.Cluster) pair {
	p.Cluster, p.Workspace = c.Name, c.Workspace
	return p
}

// clusterName leaves the default workspace out.
func (p pair) clusterName() string { return shortCluster(p.Workspace + "/" + p.Cluster) }

func shortCluster(key string) string { return strings.TrimPrefix(key, defaultWorkspace+"/") }

func (p pair) answer() string {
	switch {
	case p.Error != "":
		return "error"
	case p.Matched:
		return "yes"
	}
	return "no"
}

func (p pair) because() string {
	why := p.Reason
	if p.Error != "" {
		why = p.Error
	}
	where := position(p.File, p.Line)
	switch {
	case why == "":
		return where
	case where == "":
		return why
	}
	return fmt.Sprintf("%s (%s)", why, where)
}
