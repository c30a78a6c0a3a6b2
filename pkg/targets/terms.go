package targets

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// failing is one term that does not hold.
type failing struct{ term, got, want string }

// noCriteria is what an entry fails by that has none.
func noCriteria() failing {
	return failing{"no criteria", "an entry without criteria matches no cluster", "it had a criterion such as clusterSelector: {}"}
}

func (f failing) String() string { return f.term + ": " + f.got }

func joinTerms(failed []failing) string {
	var out []string
	for _, f := range failed {
		out = append(out, f.String())
	}
	return strings.Join(out, ", ")
}

func joinWants(failed []failing) string {
	var out []string
	for _, f := range failed {
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

func orAll(s *selector) string {
	if s.Empty() {
		return "any labels"
	}
	return s.String()
}

// failing lists the terms that do not hold for a cluster; there is at least one
// when match said no.
func (c *criteria) failing(cl *Cluster, g *Groups) []failing {
	if c.empty {
		return []failing{noCriteria()}
	}
	var out []failing
	if c.clusterName != "" && c.clusterName != cl.Name {
		out = append(out, failing{"clusterName=" + c.clusterName, "cluster is " + cl.Name, "the cluster were named " + c.clusterName})
	}
	if c.selector != nil {
		out = append(out, failingLabels("cluster", c.selector, cl.Labels)...)
	}
	if c.group != "" {
		out = append(out, failingGroup(c.group, cl, g)...)
	}
	if c.groupSelector != nil {
		out = append(out, failingGroups(c.groupSelector, cl, g)...)
	}
	return out
}

// failingLabels lists the requirements that the labels of something do not meet.
func failingLabels(subject string, s *selector, have map[string]string) []failing {
	requirements, _ := s.Requirements()
	var out []failing
	for _, r := range requirements {
		if r.Matches(labels.Set(have)) {
			continue
		}
		got := subject + " has no label " + r.Key()
		if v, ok := have[r.Key()]; ok {
			got = fmt.Sprintf("%s has %s=%s", subject, r.Key(), v)
		}
		out = append(out, failing{r.String(), got, wantedLabel(subject, r)})
	}
	return out
}

// wantedLabel says what to do to a label, which no selector's notation says of absence.
func wantedLabel(subject string, r labels.Requirement) string {
	switch r.Operator() {
	case selection.Exists:
		return "the " + subject + " had a label " + r.Key()
	case selection.DoesNotExist:
		return "the " + subject + " had no label " + r.Key()
	}
	return "the " + subject + " had " + r.String()
}

func failingGroup(name string, cl *Cluster, g *Groups) []failing {
	found := g.find(cl.Workspace, name)
	term := "clusterGroup=" + name
	switch {
	case found == nil:
		return []failing{{term, "there is no such group in workspace " + cl.Workspace, "there were a ClusterGroup " + name}}
	case found.holds(cl):
		return nil
	case found.selector == nil:
		return []failing{{term, "the group has no selector", "the group had a selector"}}
	}
	out := failingLabels("cluster", found.selector, cl.Labels)
	for i := range out {
		out[i].term = term + " (" + out[i].term + ")"
	}
	return out
}

// failingGroups says which groups the selector means and what the nearest of them asks of the cluster.
func failingGroups(s *selector, cl *Cluster, g *Groups) []failing {
	term := "clusterGroupSelector " + orAll(s)
	var meant []string
	var nearest []failing
	var nearestName string
	for _, each := range g.in(cl.Workspace) {
		if !s.selects(each.labels) {
			continue
		}
		if each.holds(cl) {
			return nil
		}
		meant = append(meant, each.name)
		if each.selector == nil {
			continue
		}
		if failed := failingLabels("cluster", each.selector, cl.Labels); nearestName == "" || len(failed) < len(nearest) {
			nearest, nearestName = failed, each.name
		}
	}
	switch {
	case len(meant) == 0:
		return []failing{{term, "no group of workspace " + cl.Workspace + " has these labels (" + groupsOf(cl, g) + ")",
			"the cluster were in a group with " + orAll(s)}}
	case nearestName == "":
		return []failing{{term, "the groups it means have no selector: " + names(meant), "group " + meant[0] + " had a selector"}}
	}
	return []failing{{term, "the cluster is in none of the groups it means: " + names(meant) + " (" + joinTerms(nearest) + ")",
		joinWants(nearest) + " (group " + nearestName + ")"}}
}

func groupsOf(cl *Cluster, g *Groups) string {
	in := g.Of(*cl)
	if len(in) == 0 {
		return "the cluster is in no group"
	}
	return "the cluster is in " + names(in)
}
