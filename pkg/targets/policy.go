package targets

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Policy is a Policy of the bundle's workspace; a bundle must satisfy them all.
type Policy struct {
	Name                           string
	AllowedTargetNamespaces        []string
	AllowedTargetNamespaceSelector *metav1.LabelSelector
	// Where it stands, if it was read from a file.
	Where bundle.Position
}

// PolicyOf is what targeting sees of a Policy.
func PolicyOf(p *v1alpha1.Policy) Policy {
	return Policy{
		Name: p.Name, AllowedTargetNamespaces: p.AllowedTargetNamespaces,
		AllowedTargetNamespaceSelector: p.AllowedTargetNamespaceSelector,
	}
}

// Denied is the error of a row that a Policy forbids.
type Denied struct {
	// Policy is its name.
	Policy string
	// Reason is one sentence that says what is allowed and what to set.
	Reason string
}

// Error is the reason.
func (d *Denied) Error() string { return d.Reason }

var _ error = (*Denied)(nil)

type policy struct {
	name       string
	where      bundle.Position
	namespaces []string // sorted; empty allows any
	selector   *selector
	err        error
}

func compilePolicies(from []Policy) []policy {
	var out []policy
	for _, p := range from {
		compiled := policy{name: p.Name, where: p.Where, namespaces: slices.Sorted(slices.Values(p.AllowedTargetNamespaces))}
		var err error
		if compiled.selector, err = compileSelector(p.AllowedTargetNamespaceSelector); err != nil {
			compiled.err = fmt.Errorf("policy %s: allowedTargetNamespaceSelector: %w", p.Name, err)
		}
		out = append(out, compiled)
	}
	slices.SortFunc(out, func(a, b policy) int { return strings.Compare(a.name, b.name) })
	return out
}

// judge returns why a policy forbids a target namespace, nil if it does not. A
// policy that cannot be understood allows nothing.
func (p *policy) judge(namespace string) error {
	switch {
	case p.err != nil:
		return p.err
	case len(p.namespaces) > 0 && namespace == "":
		return p.deny("allows only the namespaces %s (allowedTargetNamespaces), and the bundle names none: set targetNamespace of its GitRepo, or namespace in its fleet.yaml, to one of them", names(p.namespaces))
	case p.selector != nil && namespace == "":
		return p.deny("allows only namespaces with %s (allowedTargetNamespaceSelector), and the bundle names none: set targetNamespace of its GitRepo, or namespace in its fleet.yaml, to such a namespace", orAll(p.selector))
	case len(p.namespaces) > 0 && !slices.Contains(p.namespaces, namespace):
		return p.deny("does not allow the namespace %s: set targetNamespace of the GitRepo, or namespace in fleet.yaml, to one of %s (allowedTargetNamespaces)", namespace, names(p.namespaces))
	}
	return nil
}

func (p *policy) deny(format string, args ...any) error {
	return &Denied{Policy: p.name, Reason: "policy " + p.name + " " + fmt.Sprintf(format, args...)}
}

// denied asks every policy: one that forbids suffices.
func (c *Compiled) denied(namespace string) error {
	for i := range c.policies {
		if err := c.policies[i].judge(namespace); err != nil {
			return err
		}
	}
	return nil
}

// namespaceSelector is what all policies together ask of the target namespace
// on the cluster, in one spelling whatever their order.
func namespaceSelector(policies []policy) string {
	var terms []string
	for _, p := range policies {
		if p.selector == nil {
			continue
		}
		requirements, _ := p.selector.Requirements()
		for _, r := range requirements {
			terms = append(terms, notation(r))
		}
	}
	slices.Sort(terms)
	return strings.Join(slices.Compact(terms), ",")
}

// notation writes a requirement as kubectl reads it, the same for what means the same.
func notation(r labels.Requirement) string {
	if r.Values().Len() != 1 {
		return r.String()
	}
	value := r.Values().UnsortedList()[0]
	switch r.Operator() {
	case selection.In, selection.Equals, selection.DoubleEquals:
		return r.Key() + "=" + value
	case selection.NotIn, selection.NotEquals:
		return r.Key() + "!=" + value
	}
	return r.String()
}

// names lists some names and counts the rest.
func names(list []string) string {
	const shown = 10
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}
