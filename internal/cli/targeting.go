package cli

import (
	"cmp"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
)

// decision is a match and the cluster it was made for.
type decision struct {
	targets.Match
	cluster targets.Cluster
	// draft is true for no cluster at all.
	draft bool
	// tentative is true where too little is known of the cluster to blame the files.
	tentative bool
	// templated is true where values still hold the text of templates.
	templated bool
	// parsed is true where nothing is asked but whether value templates can be read.
	parsed bool
}

// targeting is one bundle's, in each workspace that it may belong to.
type targeting struct {
	fleet    *fleet
	compiled map[string]*targets.Compiled
	failed   error
}

func (f *fleet) targeting(b *bundle.Bundle) targeting {
	t := targeting{fleet: f, compiled: map[string]*targets.Compiled{}}
	for _, workspace := range f.workspaces() {
		c, err := targets.Compile(targets.Input{
			Workspace: workspace, Name: b.Name, BundleLabels: f.labelsOf(b), Spec: b.Spec, Where: b.Where,
			Mappings: f.inventory.mappings[workspace], Policies: f.inventory.policies[workspace],
		})
		t.compiled[workspace], t.failed = c, cmp.Or(t.failed, err)
	}
	return t
}

// of a cluster is the bundle of the GitRepo, or without one that of its own workspace.
func (t targeting) of(c targets.Cluster) (*targets.Compiled, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	if one := t.compiled[c.Workspace]; one != nil {
		return one, nil
	}
	return t.compiled[t.fleet.repo.Namespace], nil
}

// resolve decides.
func (t targeting) resolve(c targets.Cluster) decision {
	return t.ask(c, (*targets.Compiled).Resolve)
}

// explain decides the same and says why, rule by rule.
func (t targeting) explain(c targets.Cluster) decision {
	return t.ask(c, (*targets.Compiled).Explain)
}

// reasoned decides and gives the full reason of a refusal, which takes longer.
func (t targeting) reasoned(c targets.Cluster) decision {
	d := t.resolve(c)
	if d.Matched || d.Err != nil {
		return d
	}
	return t.explain(c)
}

func (t targeting) ask(c targets.Cluster, decide func(*targets.Compiled, targets.Cluster, *targets.Groups) targets.Match) decision {
	one, err := t.of(c)
	if err != nil {
		return decision{Match: targets.Match{Workspace: c.Workspace, Cluster: c.Name, Err: err}, cluster: c}
	}
	return decision{Match: decide(one, c, t.fleet.groups), cluster: c}
}

// labelsOf are those of the Bundle object on a hub.
func (f *fleet) labelsOf(b *bundle.Bundle) map[string]string {
	if f.repo == nil {
		return b.Labels
	}
	return mergeLabels(b.Labels, map[string]string{v1alpha1.LabelGitRepo: f.repo.Name})
}
