package cli

import (
	"fmt"
	"strconv"

	"github.com/muster-dev/muster/pkg/targets"
	"github.com/spf13/cobra"
)

func (a *app) whyCommand() *cobra.Command {
	var files fileFlags
	var output string
	c := &cobra.Command{
		Use:   "why DIR BUNDLE CLUSTER --inventory FILE",
		Short: "Explain why a cluster gets a bundle, or does not, rule by rule",
		Long: `Explain why a cluster gets a bundle, or does not: every rule that was looked at,
with file and line, the term that failed, and what would change the answer.`,
		Example: `  muster why . fleet-platform-backup canary-1 --inventory inventory.yaml
  muster why . fleet-platform-backup canary-1 --inventory inventory.yaml -o json`,
		Args: args(cobra.ExactArgs(3)),
		RunE: func(_ *cobra.Command, given []string) error { return a.why(files, given, output) },
	}
	files.bind(c)
	c.Flags().StringVarP(&output, "output", "o", "", "json")
	completeFixed(c, "output", "json")
	return c
}

// explanation is a pair with the way to the decision.
type explanation struct {
	pair
	Trace        []step `json:"trace"`
	WouldMatchIf string `json:"wouldMatchIf"`
}

// step is one line of a trace; every key is always there.
type step struct {
	Step   int    `json:"step"`
	Rule   string `json:"rule"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Term   string `json:"term"`
	Got    string `json:"got"`
	Want   string `json:"want"`
	Result string `json:"result"`
}

func (a *app) why(files fileFlags, given []string, output string) error {
	if err := onlyJSON(output); err != nil {
		return err
	}
	f, err := files.inventoried(given[0], a.In)
	if err != nil {
		return err
	}
	e, err := f.explain(given[1], given[2])
	if err != nil {
		return fmt.Errorf("explain %s on %s: %w", given[1], given[2], err)
	}
	if output == "json" {
		return a.printValue(e, "json")
	}
	return a.printExplanation(e)
}

func (f *fleet) explain(bundleName, clusterName string) (explanation, error) {
	b, err := f.bundle(bundleName)
	if err != nil {
		return explanation{}, err
	}
	cluster, err := f.inventory.cluster(clusterName)
	if err != nil {
		return explanation{}, err
	}
	if b == nil {
		return explanation{pair: f.brokenPair(bundleName, cluster), Trace: []step{}}, nil
	}
	e := explanation{Trace: []step{}}
	for _, m := range f.matches(b) {
		if m.cluster.Key() != cluster.Key() {
			continue
		}
		e.pair, e.WouldMatchIf = pairOf(b, m.Match), m.WouldMatchIf
		e.Trace = append(e.Trace, stepsOf(m.Match)...)
	}
	return e, nil
}

func stepsOf(m targets.Match) []step {
	var steps []step
	for _, s := range m.Trace {
		steps = append(steps, step(s))
	}
	return steps
}

func (a *app) printExplanation(e explanation) error {
	answer := map[string]string{"yes": "deployed", "no": "not deployed", "error": "cannot be decided"}[e.answer()]
	fmt.Fprintf(a.Out, "%s on %s: %s\n", e.Bundle, e.clusterName(), answer)
	if because := e.because(); because != "" {
		fmt.Fprintf(a.Out, "  %s\n", because)
	}
	if len(e.Trace) > 0 {
		fmt.Fprintln(a.Out)
	}
	out := newTable(a.Out)
	for _, s := range e.Trace {
		out.row("  "+strconv.Itoa(s.Step), s.Rule, s.Result, s.Term, s.Got, position(s.File, s.Line))
	}
	if err := out.flush(); err != nil {
		return err
	}
	if e.WouldMatchIf != "" {
		fmt.Fprintf(a.Out, "\nIt would be deployed if %s.\n", e.WouldMatchIf)
	}
	return nil
}
