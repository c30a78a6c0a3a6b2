package targets

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mapping is a BundleNamespaceMapping of the bundle's workspace. It makes the
// clusters of the workspaces it selects candidates for the bundles it selects.
// An absent selector selects nothing.
type Mapping struct {
	Name              string
	BundleSelector    *metav1.LabelSelector
	NamespaceSelector *metav1.LabelSelector
	// Where it stands, if it was read from a file.
	Where bundle.Position
}

// MappingOf is what targeting sees of a BundleNamespaceMapping.
func MappingOf(m *v1alpha1.BundleNamespaceMapping) Mapping {
	return Mapping{Name: m.Name, BundleSelector: m.BundleSelector, NamespaceSelector: m.NamespaceSelector}
}

// mapping is compiled for one bundle.
type mapping struct {
	name       string
	where      bundle.Position
	labels     map[string]string // the bundle's
	bundles    *selector
	namespaces *selector
	takes      bool // the bundle is among bundles
	err        error
}

func compileMappings(in Input) []mapping {
	var out []mapping
	for _, from := range in.Mappings {
		out = append(out, compileMapping(from, in.BundleLabels))
	}
	slices.SortFunc(out, func(a, b mapping) int { return strings.Compare(a.name, b.name) })
	return out
}

func compileMapping(from Mapping, bundleLabels map[string]string) mapping {
	m := mapping{name: from.Name, where: from.Where, labels: bundleLabels}
	var badBundles, badNamespaces error
	if m.bundles, badBundles = compileSelector(from.BundleSelector); badBundles != nil {
		m.bundles = everything() // unknown: it may be among them
	}
	if m.namespaces, badNamespaces = compileSelector(from.NamespaceSelector); badNamespaces != nil {
		m.namespaces = everything()
	}
	if err := errors.Join(badBundles, badNamespaces); err != nil {
		m.err = fmt.Errorf("mapping %s: selector: %w", from.Name, err)
	}
	m.takes = m.bundles != nil && m.bundles.selects(m.labels)
	return m
}

// reaches tells whether the bundle may go to workspaces with these labels. A
// mapping that cannot be understood is no answer for those it may select:
// neither does it grant, nor does it take away what was granted.
func (m *mapping) reaches(workspace map[string]string) (bool, error) {
	if !m.takes || m.namespaces == nil || !m.namespaces.selects(workspace) {
		return false, nil
	}
	return m.err == nil, m.err
}

// isWorkspace tells whether whoever owns a namespace made it a workspace. It
// is the receiving side's word: labels of namespaces belong to the hub's
// operators, and without it no mapping of anyone reaches the namespace.
func isWorkspace(namespace map[string]string) bool {
	return namespace[v1alpha1.LabelWorkspace] == "true"
}

// reach says which workspaces' clusters are candidates.
type reach struct {
	workspace string // the bundle's own
	mappings  []mapping
}

// beyond tells whether another workspace than the own may be among them.
func (r *reach) beyond() bool {
	return slices.ContainsFunc(r.mappings, func(m mapping) bool { return m.takes && m.namespaces != nil })
}

// Reaches tells whether clusters of a workspace, whose namespace has these
// labels, are candidates at all; where it is false Resolve need not be asked.
func (c *Compiled) Reaches(workspace string, namespaceLabels map[string]string) bool {
	ok, err := c.candidate(&Cluster{Workspace: workspace, WorkspaceLabels: namespaceLabels}, nil)
	return ok || err != nil
}

// candidate tells whether the cluster's workspace is the bundle's or lets it in.
func (r *reach) candidate(cl *Cluster, t *tracer) (bool, error) {
	if cl.Workspace == r.workspace {
		return true, nil
	}
	if len(r.mappings) == 0 {
		t.noMapping(r.workspace, cl)
		return false, nil
	}
	if !isWorkspace(cl.WorkspaceLabels) {
		t.noWorkspace(cl)
		return false, nil
	}
	var broken error
	for i := range r.mappings {
		ok, err := r.mappings[i].reaches(cl.WorkspaceLabels)
		t.mapping(&r.mappings[i], cl, ok, err)
		if ok {
			return true, nil
		}
		if err != nil && broken == nil {
			broken = err
		}
	}
	return false, broken
}
