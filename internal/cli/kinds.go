package cli

import (
	"slices"
	"strings"
)

// kind is one of Muster's kinds as people type it.
type kind struct {
	Plural, Singular, Short, Kind string
	Aliases                       []string
	// Machine kinds live in the manager's namespace, named <workspace>.<name>.
	Machine bool
	// Hint says how the first one comes about.
	Hint string
}

// kinds lists what get knows, in the order people need it.
func kinds() []kind {
	return []kind{
		{Plural: "gitrepos", Singular: "gitrepo", Short: "mgr", Kind: "GitRepo", Aliases: []string{"repos", "repo"},
			Hint: "create one: kubectl apply a GitRepo with spec.repo and spec.targets"},
		{Plural: "bundles", Singular: "bundle", Short: "mb", Kind: "Bundle",
			Hint: "bundles come from GitRepos: muster get gitrepos"},
		{Plural: "clusters", Singular: "cluster", Short: "mc", Kind: "Cluster",
			Hint: "join one: muster cluster token --name NAME"},
		{Plural: "clustergroups", Singular: "clustergroup", Short: "mcg", Kind: "ClusterGroup", Aliases: []string{"groups", "group"},
			Hint: "a ClusterGroup is a named selector that targets can use"},
		{Plural: "policies", Singular: "policy", Short: "mpol", Kind: "Policy",
			Hint: "a Policy says into which namespaces the bundles of a workspace may go"},
		{Plural: "bundlenamespacemappings", Singular: "bundlenamespacemapping", Short: "mbnm", Kind: "BundleNamespaceMapping", Aliases: []string{"mappings", "mapping"},
			Hint: "a BundleNamespaceMapping lets bundles of a workspace reach clusters of others"},
		{Plural: "assignments", Singular: "assignment", Short: "ma", Kind: "Assignment", Machine: true,
			Hint: "every joined cluster has one: muster get clusters"},
		{Plural: "clusterreports", Singular: "clusterreport", Short: "mcr", Kind: "ClusterReport", Aliases: []string{"reports", "report"}, Machine: true,
			Hint: "every cluster that was heard has one: muster get clusters"},
		{Plural: "rollouts", Singular: "rollout", Short: "mro", Kind: "Rollout", Machine: true,
			Hint: "every bundle has one: muster get bundles"},
		{Plural: "jointokens", Singular: "jointoken", Short: "mjt", Kind: "JoinToken", Aliases: []string{"tokens", "token"},
			Hint: "make one: muster cluster token --name NAME"},
	}
}

// kindNamed finds a kind by plural, singular, short name, alias or full name.
func kindNamed(word string) (kind, error) {
	name := strings.TrimSuffix(strings.ToLower(word), ".muster.dev")
	var known []string
	for _, k := range kinds() {
		names := append([]string{k.Plural, k.Singular, k.Short}, k.Aliases...)
		if slices.Contains(names, name) {
			return k, nil
		}
		known = append(known, names...)
	}
	if near := nearest(name, known); near != "" {
		return kind{}, usagef("unknown kind %q; did you mean %q?", word, near)
	}
	return kind{}, usagef("unknown kind %q; there are %s", word, strings.Join(plurals(), ", "))
}

func plurals() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.Plural)
	}
	return names
}
