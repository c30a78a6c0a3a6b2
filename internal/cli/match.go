package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
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
		RunE:              func(_ *cobra.Command, given []string) error { return a.match(files, given[0], output) },
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

func (a *app) match(files fileFlags, dir, output string) error {
	if err := onlyJSON(output); err != nil {
		return err
	}
	f, err := files.inventoried(dir, a.In)
	if err != nil {
		return err
	}
	failed := a.reportProblems(f.read.Problems)
	pairs := f.pairs()
	failed = failed || slices.ContainsFunc(pairs, func(p pair) bool { return p.Error != "" })
	a.tellOfNothing(f)
	if output == "json" {
		err = a.printValue(map[string]any{"matches": pairs}, "json")
	} else {
		err = a.printPairs(pairs)
	}
	if err == nil && failed {
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

// pairs decides every bundle for every cluster, sorted by bundle and cluster.
func (f *fleet) pairs() []pair {
	pairs := []pair{}
	for i := range f.read.Bundles {
		b := &f.read.Bundles[i]
		for m := range f.explained(b) {
			pairs = append(pairs, pairOf(b, m.Match))
		}
	}
	for _, name := range f.read.Broken {
		for _, c := range f.inventory.clusters {
			pairs = append(pairs, f.brokenPair(name, c))
		}
	}
	slices.SortStableFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.Bundle, y.Bundle), cmp.Compare(x.Workspace, y.Workspace), cmp.Compare(x.Cluster, y.Cluster))
	})
	return pairs
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
func (f *fleet) brokenPair(name string, c targets.Cluster) pair {
	problem := f.problemOf(name)
	return pair{
		Cluster: c.Name, Workspace: c.Workspace, Bundle: name, Path: f.pathOf(name, problem), Customizations: []string{},
		File: problem.File, Line: problem.Line, Error: problem.Message,
	}
}

func (a *app) printPairs(pairs []pair) error {
	if len(pairs) == 0 {
		return nil
	}
	out := newTable(a.Out)
	out.row("BUNDLE", "CLUSTER", "DEPLOYED", "TARGET", "CUSTOMIZATIONS", "BECAUSE")
	for _, p := range pairs {
		out.row(p.Bundle, p.clusterName(), p.answer(), p.Target, strings.Join(p.Customizations, ","), p.because())
	}
	return out.flush()
}

// clusterName leaves the default workspace out.
func (p pair) clusterName() string {
	if p.Workspace == defaultWorkspace {
		return p.Cluster
	}
	return p.Workspace + "/" + p.Cluster
}

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
