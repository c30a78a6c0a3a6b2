package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/targets"
)

// draftCluster stands for a cluster of which nothing is known.
const draftCluster = "any"

// checked are the pieces that validate renders: drafts, and what clusters get.
func (f *fleet) checked() iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for _, pieces := range []iter.Seq[piece]{f.drafts(), f.pieces(f.byName())} {
			for p := range pieces {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// drafts are pieces for no cluster at all: what a bundle renders to with its own
// options, or with each customization that a cluster may take.
func (f *fleet) drafts() iter.Seq[piece] {
	cluster := targets.Cluster{Workspace: defaultWorkspace, Name: draftCluster}
	if len(f.inventory.clusters) > 0 {
		cluster.Workspace = f.inventory.clusters[0].Workspace
	}
	return func(yield func(piece) bool) {
		for _, b := range f.byName() {
			for _, d := range draftsOf(b) {
				d.cluster = cluster
				if d.parsed {
					d.Context = &targets.Context{ClusterNamespace: cluster.Workspace, ClusterName: cluster.Name}
				}
				if !yield(piece{b, d}) {
					return
				}
			}
		}
	}
}

// draftsOf says by tentative that a fault may be due to what is not known: the
// labels of a cluster, or the customizations that it takes besides.
func draftsOf(b *bundle.Bundle) []decision {
	var drafts []decision
	add := func(o v1alpha1.BundleOptions, where bundle.Position, tentative bool) {
		d := decision{Match: targets.Match{Matched: true, Options: o, Where: where}, draft: true}
		templated := renderer.NeedsContext(b.Files, o)
		if templated {
			parsed := d
			parsed.parsed = true
			drafts = append(drafts, parsed)
		}
		if templated && o.Helm != nil && len(o.Helm.TemplateValues) > 0 {
			return // they are never rendered without a cluster
		}
		d.templated = templated
		d.tentative = tentative || templated || asksCluster(b.Files)
		drafts = append(drafts, d)
	}
	customizations := b.Spec.TargetCustomizations
	add(b.Spec.BundleOptions, bundle.Position{}, len(customizations) > 0)
	for i, c := range customizations {
		if !c.DoNotDeploy {
			where := b.Where[fmt.Sprintf("targetCustomizations[%d]", i)]
			add(bundle.Merge(b.Spec.BundleOptions, c.BundleOptions), where, b.Spec.TargetCustomizationMode == v1alpha1.AllMatches)
		}
	}
	return drafts
}

// clusterWords are how the templates of a chart, or its Chart.yaml, ask about a cluster.
var clusterWords = [][]byte{[]byte("Capabilities"), []byte("clusterLabels"), []byte("kubeVersion")}

// asksCluster tells whether a chart may fail on one cluster and work on another.
func asksCluster(files []bundle.File) bool {
	return slices.ContainsFunc(files, func(f bundle.File) bool {
		return slices.ContainsFunc(clusterWords, func(word []byte) bool { return bytes.Contains(f.Data, word) })
	})
}

// checks collects what rendering finds, each problem once.
type checks struct {
	// howToFetch says what would bring a chart that is elsewhere.
	howToFetch string

	found []v1alpha1.Problem
	// clusters that a problem was found on, by its place in found.
	clusters [][]string
	known    map[v1alpha1.Problem]int
	// guesses are faults of drafts that a cluster may cure, by bundle.
	guesses map[string][]v1alpha1.Problem
	held    holdings
}

// take adds what was found in one piece.
func (c *checks) take(m made) error {
	var other *elsewhere
	var remote *chartElsewhere
	if !m.decision.draft {
		delete(c.guesses, m.bundle.Name) // here is what a cluster really gets
	}
	switch {
	case errors.As(m.err, &other):
		c.add(decidedWarning(m, other), "")
	case errors.As(m.err, &remote):
		p := problemIn(m.bundle, m.decision, m.err)
		p.Severity, p.Message, p.Suggestion = bundle.Warning, p.Message+", and was not rendered", c.howToFetch
		c.add(p, "")
	case m.err == nil:
		if !m.decision.draft {
			c.held.add(m)
		}
		for _, p := range volatileWarnings(m.bundle, m.item) {
			c.add(p, "")
		}
	case m.decision.parsed:
		if unreadableTemplate(m) || unparsed(m) {
			c.add(problemIn(m.bundle, m.decision, m.err), "")
		}
	case m.decision.tentative && !unparsed(m):
		// A schema says nothing about a template in place of its value.
		if p := problemIn(m.bundle, m.decision, m.err); !m.decision.templated || p.Code != manifest.InvalidValues {
			c.guess(p)
		}
	case m.decision.draft:
		c.add(problemIn(m.bundle, m.decision, m.err), "")
	default:
		c.add(problemIn(m.bundle, m.decision, m.err), m.decision.cluster.Name)
	}
	return nil
}

func (c *checks) add(p v1alpha1.Problem, cluster string) {
	if c.known == nil {
		c.known = map[v1alpha1.Problem]int{}
	}
	i, ok := c.known[p]
	if !ok {
		i = len(c.found)
		c.known[p] = i
		c.found, c.clusters = append(c.found, p), append(c.clusters, nil)
	}
	if cluster != "" {
		c.clusters[i] = append(c.clusters[i], cluster)
	}
}

// guess keeps a fault until clusters show whether it is one.
func (c *checks) guess(p v1alpha1.Problem) {
	if c.guesses == nil {
		c.guesses = map[string][]v1alpha1.Problem{}
	}
	p.Severity, p.Message = bundle.Warning, "fails without a known cluster: "+p.Message
	p.Suggestion = "--inventory FILE shows whether your clusters have what it takes"
	c.guesses[p.Bundle] = append(c.guesses[p.Bundle], p)
}

// problems of many clusters are one problem each.
func (c *checks) problems() []v1alpha1.Problem {
	for _, name := range slices.Sorted(maps.Keys(c.guesses)) {
		for _, p := range c.guesses[name] {
			c.add(p, "")
		}
	}
	for i, names := range c.clusters {
		switch len(names) {
		case 0:
		case 1:
			c.found[i] = onCluster(c.found[i], names[0])
		default:
			p := &c.found[i]
			p.Message = fmt.Sprintf("bundle %s on %d clusters (%s): %s", p.Bundle, len(names), shorten(names), p.Message)
		}
	}
	return append(c.found, c.held.problems()...)
}

// sortProblems puts them by place, whoever found them.
func sortProblems(problems []v1alpha1.Problem) {
	slices.SortStableFunc(problems, func(a, b v1alpha1.Problem) int {
		return cmp.Or(
			strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			strings.Compare(a.Code, b.Code), strings.Compare(a.Message, b.Message),
		)
	})
}

// decidedWarning says that files alone do not tell what a bundle deploys.
func decidedWarning(m made, other *elsewhere) v1alpha1.Problem {
	where := optionPosition(m.bundle, m.decision, other.reason)
	for _, option := range []string{"helm.valuesFrom", "hubValuesFrom", "downstreamResources"} {
		if strings.HasPrefix(other.reason, option) {
			where = optionPosition(m.bundle, m.decision, option+":")
		}
	}
	if file, _, ok := strings.Cut(other.reason, " is encrypted with SOPS"); ok && inRepository(m.bundle, file) {
		where = bundle.Position{File: path.Join(m.bundle.Path, file)}
	}
	return v1alpha1.Problem{
		File: where.File, Line: where.Line, Column: where.Column, Bundle: m.bundle.Name,
		Severity: bundle.Warning, Code: codeDecidedOn,
		Message:    fmt.Sprintf("bundle %s is decided %s: %s", m.bundle.Name, other.where, other.reason),
		Suggestion: suggestValues(other),
	}
}

// suggestValues is empty where an inventory cannot help: nobody but the cluster has its keys.
func suggestValues(other *elsewhere) string {
	if strings.Contains(other.reason, "SOPS") {
		return ""
	}
	return "an inventory with these objects shows what it would be"
}
