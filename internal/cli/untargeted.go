package cli

import (
	"fmt"
	"slices"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
)

// defaultGroup is the ClusterGroup that a GitRepo without targets means.
const defaultGroup = "default"

// untargeted warns of a GitRepo without targets whose workspace has no group that
// takes their place, if a bundle relies on that.
func (f *fleet) untargeted() []v1alpha1.Problem {
	if f.repo == nil || len(f.repo.Spec.Targets) > 0 || !slices.ContainsFunc(f.read.Bundles, wantsDefaultGroup) {
		return nil
	}
	if slices.ContainsFunc(f.inventory.groups, func(g targets.Group) bool {
		return g.Workspace == f.repo.Namespace && g.Name == defaultGroup
	}) {
		return nil
	}
	return []v1alpha1.Problem{{
		Severity: bundle.Warning, Code: v1alpha1.ReasonNoTargets,
		Message:    fmt.Sprintf("GitRepo %s names no targets, and workspace %s has no ClusterGroup %s, which it then means", f.repo.Name, f.repo.Namespace, defaultGroup),
		Suggestion: `for every cluster, add to its spec the line "targets: [{clusterSelector: {}}]"`,
	}}
}

func wantsDefaultGroup(b bundle.Bundle) bool {
	return slices.ContainsFunc(b.Spec.Targets, func(t v1alpha1.Target) bool { return t.ClusterGroup == defaultGroup })
}
