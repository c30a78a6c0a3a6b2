package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// whyOptions are the flags of why.
type whyOptions struct {
	fileFlags
	renderFlags
	Output string
}

func (a *app) whyCommand() *cobra.Command {
	var o whyOptions
	c := &cobra.Command{
		Use:   "why DIR BUNDLE CLUSTER --inventory FILE",
		Short: "Explain why a cluster gets a bundle, or does not, rule by rule",
		Long: `Explain why a cluster gets a bundle, or does not: every rule that was looked at,
with file and line, the term that failed, and what would change the answer.

A bundle that the cluster gets is also rendered for it, which says what fails
there, what is decided on the cluster, and which values differ on every cluster.`,
		Example: `  muster why . fleet-platform-backup canary-1 --inventory inventory.yaml
  muster why . fleet-platform-backup canary-1 --inventory inventory.yaml -o json`,
		Args:              args(cobra.ExactArgs(3)),
		ValidArgsFunction: completePair(&o.fileFlags),
		RunE:              func(c *cobra.Command, given []string) error { return a.why(c.Context(), o, given) },
	}
	o.fileFlags.bind(c)
	o.renderFlags.bind(c)
	c.Flags().StringVarP(&o.Output, "output", "o", "", "json")
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

func (a *app) why(ctx context.Context, o whyOptions, given []string) error {
	if err := onlyJSON(o.Output); err != nil {
		return err
	}
	if err := o.renderFlags.check(); err != nil {
		return err
	}
	f, err := o.inventoried(given[0], a.In)
	if err != nil {
		return err
	}
	a.reportProblems(f.inventory.problems)
	e, err := f.explain(ctx, o.renderFlags, given[1], given[2])
	if err != nil {
		return fmt.Errorf("explain %s on %s: %w", given[1], given[2], err)
	}
	if o.Output == "json" {
		return a.printValue(e, "json")
	}
	return a.printExplanation(e)
}

func (f *fleet) explain(ctx context.Context, flags renderFlags, bundleName, clusterName string) (explanation, error) {
	b, err := f.bundle(bundleName)
	if err != nil {
		return explanation{}, err
	}
	cluster, err := f.inventory.cluster(clusterName)
	if err != nil {
		return explanation{}, err
	}
	if b == nil {
		return explanation{pair: f.brokenPair(bundleName).on(cluster), Trace: []step{}}, nil
	}
	d := f.targeting(b).explain(cluster)
	e := explanation{pair: pairOf(b, d.Match), Trace: []step{}, WouldMatchIf: d.WouldMatchIf}
	for _, s := range d.Trace {
		e.Trace = append(e.Trace, step(s))
	}
	if !d.Matched {
		return e, nil
	}
	return e, f.explainRender(ctx, flags, piece{b, d}, &e)
}

// explainRender adds what the hub does with a bundle that a cluster is to get.
func (f *fleet) explainRender(ctx context.Context, flags renderFlags, p piece, e *explanation) error {
	shop, err := newWorkshop(f, flags, flags.charts())
	if err != nil {
		return err
	}
	defer shop.close()
	m := shop.one(ctx, p)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e.addRender(m)
	for _, held := range f.heldBack(p) {
		e.add(held)
	}
	return nil
}

// addRender adds what rendering said, and makes its error that of the pair.
func (e *explanation) addRender(m made) {
	var other *elsewhere
	var remote *chartElsewhere
	switch {
	case errors.As(m.err, &remote):
		p := problemIn(m.bundle, m.decision, m.err)
		e.add(step{Rule: "render", Result: "not rendered", Got: p.Message, Want: p.Suggestion, File: p.File, Line: p.Line})
		return
	case errors.As(m.err, &other):
		p := decidedWarning(m, other)
		e.add(step{Rule: "render", Result: "decided " + other.where, Got: other.reason, File: p.File, Line: p.Line})
		return
	case m.err != nil:
		p := problemIn(m.bundle, m.decision, m.err)
		e.Error, e.File, e.Line = p.Message, p.File, p.Line
		e.add(step{Rule: "render", Result: "error", Got: p.Message, Want: p.Suggestion, File: p.File, Line: p.Line})
		return
	}
	e.add(step{Rule: "render", Result: count(len(m.item.Objects), "object")})
	for _, p := range volatileWarnings(m.bundle, m.item) {
		e.add(step{Rule: "render", Result: "volatile", Got: p.Message, File: p.File, Line: p.Line})
	}
}

// add numbers a step.
func (e *explanation) add(s step) {
	s.Step = len(e.Trace) + 1
	e.Trace = append(e.Trace, s)
}

// heldBack are reasons for which the hub does not hand out what it has computed.
func (f *fleet) heldBack(p piece) []step {
	var steps []step
	for _, key := range p.bundle.Unsupported {
		where := p.bundle.Where[key]
		steps = append(steps, step{
			Rule: "supported", Result: "held back", Term: key, File: where.File, Line: where.Line,
			Got: "not supported yet: the hub keeps the last good revision", Want: "without " + key,
		})
	}
	if p.bundle.Spec.Paused {
		where := p.bundle.Where["paused"]
		steps = append(steps, step{Rule: "paused", Result: "held back", Got: "the bundle is paused", Want: "paused: false", File: where.File, Line: where.Line})
	}
	if p.decision.cluster.Paused {
		steps = append(steps, step{Rule: "paused", Result: "held back", Got: "the cluster is paused", Want: "spec.paused: false on the Cluster"})
	}
	return steps
}

func (a *app) printExplanation(e explanation) error {
	fmt.Fprintf(a.Out, "%s on %s: %s\n", e.Bundle, e.clusterName(), e.headline())
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

// headline is the answer in a few words.
func (e *explanation) headline() string {
	switch {
	case e.Error != "" && e.Matched:
		return "it is to be deployed and cannot be rendered; what is deployed stays"
	case e.Error != "":
		return "cannot be decided"
	case !e.Matched:
		return "not deployed"
	}
	last := e.Trace[len(e.Trace)-1]
	switch {
	case last.Result == "held back":
		return "to be deployed, and held back"
	case strings.HasPrefix(last.Result, "decided "):
		return "deployed, with what is " + last.Result
	}
	return "deployed"
}
