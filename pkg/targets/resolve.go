package targets

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/bundle"
)

// Resolve decides whether a cluster gets the bundle and with what options. It
// leaves Trace and WouldMatchIf empty, since it is asked for every pair of a
// fleet; Explain decides the same and fills them. Options may be shared between
// Matches: treat them as read-only.
func (c *Compiled) Resolve(cl Cluster, g *Groups) (m Match) {
	c.resolve(&m, &cl, g, nil)
	return m
}

// resolve is the one place where is decided. t is nil unless somebody wants to
// read why. Values this large are handed on by reference.
func (c *Compiled) resolve(m *Match, cl *Cluster, g *Groups, t *tracer) {
	m.Workspace, m.Cluster = cl.Workspace, cl.Name
	if ok, err := c.candidate(cl, t); err != nil || !ok {
		m.failOrRefuse(err, "the bundle belongs to workspace "+c.workspace+", and nothing lets it into "+cl.Workspace)
		return
	}
	target, err := c.target(cl, g, t)
	if err != nil {
		m.fail(err)
		return
	}
	if target == nil && !c.everywhere {
		m.Reason = c.untargeted()
		return
	}
	if target != nil {
		m.Target, m.Where = target.label, target.where
	}
	if target != nil && target.doNotDeploy {
		m.Reason = target.label + " says doNotDeploy"
		return
	}
	if ok, err := c.allowed(cl, g, t); err != nil || !ok {
		m.failOrRefuse(err, "no target restriction allows the cluster")
		return
	}
	set, denied, err := c.customize(cl, g, t)
	if err != nil {
		m.fail(err)
		return
	}
	if denied != nil {
		m.Reason, m.Where = denied.label+" says doNotDeploy", denied.where
		return
	}
	c.deploy(m, set, cl, t)
}

func (c *Compiled) untargeted() string {
	if len(c.targets) == 0 {
		return "the bundle has no targets"
	}
	return "no target matches the cluster"
}

// target is the first entry of targets that matches; later ones are not looked at.
func (c *Compiled) target(cl *Cluster, g *Groups, t *tracer) (*rule, error) {
	if c.everywhere {
		t.note("a bundle made by hand without targets goes to every cluster", bundle.Position{}, resultMatch)
		return nil, nil
	}
	for i := range c.targets {
		ok, err := c.targets[i].match(cl, g)
		t.rule(&c.targets[i], kindTarget, cl, g, ok, err)
		if err != nil {
			return nil, err
		}
		if ok {
			t.next(c.targets[i+1:], kindTarget, cl, g)
			return &c.targets[i], nil
		}
	}
	return nil, nil
}

// allowed asks the restrictions: any of them suffices, none at all restrict nothing.
func (c *Compiled) allowed(cl *Cluster, g *Groups, t *tracer) (bool, error) {
	if len(c.restrictions) == 0 {
		return true, nil
	}
	for i := range c.restrictions {
		ok, err := c.restrictions[i].match(cl, g)
		t.rule(&c.restrictions[i], kindRestriction, cl, g, ok, err)
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// customize merges the customizations taken; one doNotDeploy among them denies,
// wherever it stands.
func (c *Compiled) customize(cl *Cluster, g *Groups, t *tracer) (set *optionSet, denied *rule, err error) {
	var room [8]int
	taken, err := c.take(room[:0], cl, g, t)
	if err != nil {
		return nil, nil, err
	}
	for _, i := range taken {
		if c.customizations[i].doNotDeploy {
			return nil, &c.customizations[i], nil
		}
	}
	switch len(taken) {
	case 0:
		return c.base, nil, nil
	case 1:
		return c.first[taken[0]], nil, nil
	}
	set, err = c.combine(taken)
	return set, nil, err
}

// take appends the customizations that apply: the first that matches, or all.
func (c *Compiled) take(taken []int, cl *Cluster, g *Groups, t *tracer) ([]int, error) {
	for i := range c.customizations {
		r := &c.customizations[i]
		ok, err := r.match(cl, g)
		t.rule(r, kindCustomization, cl, g, ok, err)
		if err != nil {
			return nil, err
		}
		if ok {
			taken = append(taken, i)
		}
		if ok && !c.allMatches {
			t.next(c.customizations[i+1:], kindCustomization, cl, g)
			break
		}
	}
	return taken, nil
}

// deploy fills in the options, unless nobody may have them. Such a row is an error and not a cluster that left: what runs there stays.
func (c *Compiled) deploy(m *Match, set *optionSet, cl *Cluster, t *tracer) {
	t.policies(c, set)
	if set.fault != nil {
		m.Where = set.faultAt
		m.fail(set.fault)
		return
	}
	chosen := set.forCluster(cl)
	m.Options, m.OptionsDigest = chosen.options, chosen.digest
	if set.templated {
		m.Context = contextOf(cl)
		digest, err := digestOf(chosen.digest, m.Context)
		if err != nil {
			m.fail(err)
			return
		}
		m.OptionsDigest = digest
	}
	m.Matched, m.Customizations, m.NamespaceSelector = true, set.labels, c.namespaceSelector
	if set.where != (bundle.Position{}) {
		m.Where = set.where
	}
}

// match tells whether all criteria hold. No criteria hold for no cluster.
func (c *criteria) match(cl *Cluster, g *Groups) (bool, error) {
	switch {
	case c.empty:
		return false, nil
	case c.clusterName != "" && c.clusterName != cl.Name:
		return false, nil
	case c.selector != nil && !c.selector.selects(cl.Labels):
		return false, nil
	}
	if c.group != "" {
		if ok, err := inGroup(cl, g, c.group); err != nil || !ok {
			return false, err
		}
	}
	if c.groupSelector != nil {
		return inSelectedGroup(cl, g, c.groupSelector)
	}
	return true, nil
}

func inGroup(cl *Cluster, g *Groups, name string) (bool, error) {
	found := g.find(cl.Workspace, name)
	if found == nil {
		return false, nil
	}
	return found.holds(cl), found.err
}

func inSelectedGroup(cl *Cluster, g *Groups, selector *selector) (bool, error) {
	var broken error
	groups := g.in(cl.Workspace)
	for i := range groups {
		if !selector.selects(groups[i].labels) {
			continue
		}
		if groups[i].err != nil {
			broken = groups[i].err
			continue
		}
		if groups[i].holds(cl) {
			return true, nil
		}
	}
	return false, broken
}

// fail leaves nothing of a decision but whom it is about, where it was made, and the error.
func (m *Match) fail(err error) {
	*m = Match{Workspace: m.Workspace, Cluster: m.Cluster, Target: m.Target, Where: m.Where,
		Err: fmt.Errorf("match cluster %s/%s: %w", m.Workspace, m.Cluster, err)}
}

func (m *Match) failOrRefuse(err error, reason string) {
	if err != nil {
		m.fail(err)
		return
	}
	m.Reason = reason
}
