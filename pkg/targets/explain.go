package targets

import (
	"fmt"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
	"k8s.io/apimachinery/pkg/labels"
)

// Explain decides as Resolve does and says why: every rule looked at, the terms
// that failed, and what would change a negative answer.
func (c *Compiled) Explain(cl Cluster, g *Groups) Match {
	t := &tracer{}
	m := c.resolve(cl, g, t)
	m.Trace = t.steps
	if m.Matched || m.Err != nil {
		return m
	}
	if t.nearest != "" && strings.HasPrefix(m.Reason, "no target") {
		m.Reason += ": " + t.nearest
	}
	m.WouldMatchIf = wouldMatchIf(m, t)
	return m
}

// tracer writes down what resolve looks at; a nil one does nothing.
type tracer struct {
	steps []Step
	// nearest is the failing target closest to matching, needs what it lacks.
	nearest, needs string
	missing        int
}

func (t *tracer) note(rule string, where bundle.Position, result string) {
	if t == nil {
		return
	}
	t.steps = append(t.steps, Step{Step: len(t.steps) + 1, Rule: rule, File: where.File, Line: where.Line, Result: result})
}

// failing is one term that does not hold.
type failing struct{ term, got, want string }

func (f failing) String() string { return f.term + ": " + f.got }

func (t *tracer) rule(r *rule, kind string, cl Cluster, g *Groups, ok bool, err error) {
	if t == nil {
		return
	}
	t.note(kind+" "+r.label, r.where, outcome(r, ok, err))
	s := &t.steps[len(t.steps)-1]
	if err != nil {
		s.Got = err.Error()
		return
	}
	if ok {
		s.Term, s.Got = r.criteria.String(), "all hold"
		t.nearest, t.needs, t.missing = "", "", 0 // what failed before no longer matters
		return
	}
	terms := r.failing(cl, g)
	s.Term, s.Got, s.Want = terms[0].term, terms[0].got, terms[0].want
	if kind != "customization" && (t.nearest == "" || len(terms) < t.missing) {
		t.nearest, t.needs, t.missing = joinTerms(terms), joinWants(terms)+" ("+r.label+")", len(terms)
	}
}

func outcome(r *rule, ok bool, err error) string {
	switch {
	case err != nil:
		return "error"
	case ok && r.doNotDeploy:
		return "match, doNotDeploy"
	case ok:
		return "match"
	}
	return "no match"
}

func wouldMatchIf(m Match, t *tracer) string {
	if strings.HasSuffix(m.Reason, "says doNotDeploy") {
		return strings.TrimSuffix(m.Reason, " says doNotDeploy") + " did not say doNotDeploy"
	}
	return t.needs
}

func joinTerms(terms []failing) string {
	var out []string
	for _, f := range terms {
		out = append(out, f.String())
	}
	return strings.Join(out, ", ")
}

func joinWants(terms []failing) string {
	var out []string
	for _, f := range terms {
		out = append(out, f.want)
	}
	return strings.Join(out, " and ")
}

// String writes criteria as a person would say them.
func (c *criteria) String() string {
	var parts []string
	if c.clusterName != "" {
		parts = append(parts, "cluster "+c.clusterName)
	}
	if c.selector != nil {
		parts = append(parts, orAll(c.selector))
	}
	if c.group != "" {
		parts = append(parts, "group "+c.group)
	}
	if c.groupSelector != nil {
		parts = append(parts, "group with "+orAll(c.groupSelector))
	}
	return strings.Join(parts, " and ")
}

func orAll(s labels.Selector) string {
	if s.Empty() {
		return "any labels"
	}
	return s.String()
}

// failing lists the terms that do not hold for a cluster; there is at least one
// when match said no.
func (c *criteria) failing(cl Cluster, g *Groups) []failing {
	if c.empty {
		return []failing{{"no criteria", "an entry without criteria matches no cluster", "it had a criterion such as clusterSelector: {}"}}
	}
	var out []failing
	if c.clusterName != "" && c.clusterName != cl.Name {
		out = append(out, failing{"clusterName=" + c.clusterName, "cluster is " + cl.Name, "the cluster were named " + c.clusterName})
	}
	if c.selector != nil {
		out = append(out, failingLabels(c.selector, cl.Labels)...)
	}
	if c.group != "" {
		out = append(out, failingGroup(c.group, cl, g)...)
	}
	if c.groupSelector != nil {
		if ok, err := inSelectedGroup(cl, g, c.groupSelector); !ok && err == nil {
			term := "clusterGroupSelector " + orAll(c.groupSelector)
			out = append(out, failing{term, "no group of the cluster has these labels (" + groupsOf(cl, g) + ")", "the cluster were in a group with " + orAll(c.groupSelector)})
		}
	}
	return out
}

func failingLabels(s labels.Selector, have map[string]string) []failing {
	requirements, _ := s.Requirements()
	var out []failing
	for _, r := range requirements {
		if r.Matches(labels.Set(have)) {
			continue
		}
		got := "cluster has no label " + r.Key()
		if v, ok := have[r.Key()]; ok {
			got = fmt.Sprintf("cluster has %s=%s", r.Key(), v)
		}
		out = append(out, failing{r.String(), got, "the cluster had " + r.String()})
	}
	if len(out) == 0 && !s.Matches(labels.Set(have)) {
		out = append(out, failing{s.String(), "the selector selects nothing", "the selector selected something"})
	}
	return out
}

func failingGroup(name string, cl Cluster, g *Groups) []failing {
	found := g.find(cl.Workspace, name)
	switch {
	case found == nil:
		return []failing{{"clusterGroup=" + name, "there is no such group in workspace " + cl.Workspace, "there were a ClusterGroup " + name}}
	case found.holds(cl):
		return nil
	case found.selector == nil:
		return []failing{{"clusterGroup=" + name, "the group has no selector", "the group had a selector"}}
	}
	out := failingLabels(found.selector, cl.Labels)
	for i := range out {
		out[i].term = "clusterGroup=" + name + " (" + out[i].term + ")"
	}
	return out
}

func groupsOf(cl Cluster, g *Groups) string {
	names := g.Of(cl)
	if len(names) == 0 {
		return "it is in no group"
	}
	return "it is in " + strings.Join(names, ", ")
}

func (t *tracer) noMapping(workspace string, cl Cluster)           {}
func (t *tracer) noWorkspace(cl Cluster)                           {}
func (t *tracer) mapping(m *mapping, cl Cluster, ok bool, e error) {}
func (t *tracer) policies(c *Compiled, set *optionSet)             {}
