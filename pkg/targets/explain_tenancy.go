package targets

import (
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// noMapping says that nothing lets the bundle out of its workspace.
func (t *tracer) noMapping(workspace string, cl *Cluster) {
	if t == nil {
		return
	}
	f := failing{"workspace=" + workspace, "cluster is in workspace " + cl.Workspace,
		"workspace " + workspace + " had a BundleNamespaceMapping that selects the bundle and namespace " + cl.Workspace}
	t.add("workspace "+workspace, bundle.Position{}, resultNoMatch).fail([]failing{f})
	t.needs = f.want
}

// noWorkspace says that the cluster's namespace lets no mapping in.
func (t *tracer) noWorkspace(cl *Cluster) {
	if t == nil {
		return
	}
	label := v1alpha1.LabelWorkspace + "=true"
	f := failing{label, "namespace " + cl.Workspace + " does not have it", "namespace " + cl.Workspace + " were labelled " + label}
	t.add("workspace "+cl.Workspace, bundle.Position{}, resultNoMatch).fail([]failing{f})
	t.nearest, t.needs = f.String(), f.want
}

func (t *tracer) mapping(m *mapping, cl *Cluster, ok bool, err error) {
	if t == nil {
		return
	}
	s := t.add("mapping "+m.name, m.where, resultNoMatch)
	switch {
	case err != nil:
		s.Result, s.Got = resultError, err.Error()
	case ok:
		s.Result, s.Term, s.Got = resultMatch, "bundles with "+orAll(m.bundles)+", namespaces with "+orAll(m.namespaces), "all hold"
		t.passed()
	default:
		failed := m.failing(cl)
		s.fail(failed)
		if m.err == nil {
			t.near(failed, "mapping "+m.name)
		}
	}
}

// failing lists what keeps the mapping from letting the bundle reach the cluster's workspace.
func (m *mapping) failing(cl *Cluster) []failing {
	var out []failing
	switch {
	case m.bundles == nil:
		out = append(out, failing{"bundleSelector", "the mapping has none, so it selects no bundle", "the mapping had a bundleSelector"})
	case !m.takes:
		out = append(out, failingLabels("bundle", m.bundles, m.labels)...)
	}
	if m.namespaces == nil {
		return append(out, failing{"namespaceSelector", "the mapping has none, so it selects no namespace", "the mapping had a namespaceSelector"})
	}
	return append(out, failingLabels("namespace "+cl.Workspace, m.namespaces, cl.WorkspaceLabels)...)
}

// policies writes down what each Policy says of the target namespace.
func (t *tracer) policies(c *Compiled, set *optionSet) {
	if t == nil {
		return
	}
	namespace := targetNamespace(set.static.options)
	for i := range c.policies {
		t.policy(&c.policies[i], namespace)
	}
}

func (t *tracer) policy(p *policy, namespace string) {
	s := t.add("policy "+p.name, p.where, resultAllowed)
	s.Term, s.Got, s.Want = p.String(), "namespace is "+namespace, p.wants()
	if namespace == "" {
		s.Got = "the bundle names no namespace"
	}
	switch err := p.judge(namespace); {
	case p.err != nil:
		s.Result, s.Got = resultError, p.err.Error()
	case err != nil:
		s.Result = resultDenied
	case p.selector != nil:
		s.Result = resultLater
	default:
		s.Want = ""
	}
}

// String writes a policy as a person would say it.
func (p *policy) String() string {
	var parts []string
	if len(p.namespaces) > 0 {
		parts = append(parts, "allowedTargetNamespaces "+names(p.namespaces))
	}
	if p.selector != nil {
		parts = append(parts, "allowedTargetNamespaceSelector "+orAll(p.selector))
	}
	if p.err != nil {
		parts = append(parts, "allowedTargetNamespaceSelector")
	}
	if len(parts) == 0 {
		return "no limits"
	}
	return strings.Join(parts, " and ")
}

func (p *policy) wants() string {
	var parts []string
	if len(p.namespaces) > 0 {
		parts = append(parts, "the bundle's namespace were one of "+names(p.namespaces))
	}
	if p.selector != nil {
		parts = append(parts, "the namespace had "+orAll(p.selector)+" on the cluster")
	}
	return strings.Join(parts, " and ")
}

// wouldAllow says which target namespaces all policies allow.
func (c *Compiled) wouldAllow() string {
	var allowed, asking []string
	limited := false
	for _, p := range c.policies {
		if len(p.namespaces) == 0 {
			continue
		}
		asking = append(asking, p.name)
		if !limited {
			allowed, limited = p.namespaces, true
			continue
		}
		allowed = slices.DeleteFunc(slices.Clone(allowed), func(n string) bool { return !slices.Contains(p.namespaces, n) })
	}
	switch {
	case limited && len(allowed) == 0:
		return "policies " + strings.Join(asking, " and ") + " had a namespace in common"
	case limited:
		return "the bundle's namespace were one of " + names(allowed)
	}
	return "the bundle named a namespace with " + c.namespaceSelectorOrAll()
}

func (c *Compiled) namespaceSelectorOrAll() string {
	if c.namespaceSelector == "" {
		return "any labels"
	}
	return c.namespaceSelector
}
