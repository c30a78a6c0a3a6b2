package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
)

// fileFlags choose what is read without a hub.
type fileFlags struct {
	Paths     []string
	Repo      string
	Inventory []string
}

func (f *fileFlags) bind(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.Paths, "path", nil, "`directory` of bundles, relative to DIR, as in a GitRepo's paths; repeatable (default: the GitRepo's, else all of DIR)")
	c.Flags().StringVar(&f.Repo, "repo", "", "GitRepo of the inventory to take, by `name`, else the prefix of bundle names (default: the only GitRepo, else the name of DIR)")
	c.Flags().StringArrayVar(&f.Inventory, "inventory", nil, "`file` with Clusters, ClusterGroups, GitRepos and more, ours or fleet.cattle.io's, - for standard input; repeatable")
	// A flag that exists can be marked.
	_ = c.MarkFlagFilename("inventory", "yaml", "yml", "json")
}

// renderFlags say what charts see and how they are rendered.
type renderFlags struct {
	KubeVersion string
	APIVersions []string
	FetchCharts bool
	Workers     int
}

func (f *renderFlags) bind(c *cobra.Command) {
	c.Flags().StringVar(&f.KubeVersion, "kube-version", "", "Kubernetes `version` that charts see, such as v1.36.0 (default: the cluster's in the inventory)")
	c.Flags().StringSliceVar(&f.APIVersions, "api-versions", nil, "API `versions` that charts see, such as monitoring.coreos.com/v1 (default: the cluster's in the inventory, else Kubernetes' own)")
	c.Flags().BoolVar(&f.FetchCharts, "fetch-charts", false, "fetch charts that are not in the repository, without credentials, and keep them in the user's cache directory")
	c.Flags().IntVar(&f.Workers, "workers", 0, "how many renders run at once (default: one per processor, at most 4)")
}

// check refuses what no cluster is; a bundle would be blamed for it.
func (f *renderFlags) check() error {
	if f.KubeVersion == "" {
		return nil
	}
	if _, err := version.ParseGeneric(f.KubeVersion); err != nil {
		return usagef("--kube-version %s is no version of Kubernetes; write it like v1.36.0", f.KubeVersion)
	}
	return nil
}

// fleet is a repository and an inventory, read and matched like on a hub.
type fleet struct {
	dir string
	// repo is nil without a GitRepo: every cluster is then a target.
	repo      *v1alpha1.GitRepo
	inventory inventory
	groups    *targets.Groups
	read      bundle.Result
	// repoName is what computed names begin with.
	repoName string
}

// load reads the inventory and the repository.
func (f *fileFlags) load(dir string, in io.Reader) (*fleet, error) {
	if err := directory(dir); err != nil {
		return nil, err
	}
	inv, err := readInventory(f.Inventory, in)
	if err != nil {
		return nil, err
	}
	repo, err := f.choose(inv.repos)
	if err != nil {
		return nil, err
	}
	r := f.repoFor(dir, repo)
	loaded := &fleet{
		dir: dir, repo: repo, inventory: inv, groups: targets.NewGroups(inv.groups),
		read: bundle.Load(bundle.DirTree(os.DirFS(dir)), r), repoName: r.Name,
	}
	loaded.inventory.problems = append(loaded.inventory.problems, loaded.untargeted()...)
	return loaded, nil
}

// directory refuses what cannot be read at all.
func directory(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is not a directory")
	}
	if err == nil {
		_, err = os.ReadDir(dir)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w; name the root of a repository", dir, withoutPath(err))
	}
	return nil
}

// choose picks the GitRepo of the inventory.
func (f *fileFlags) choose(all []v1alpha1.GitRepo) (*v1alpha1.GitRepo, error) {
	repos := all
	if f.Repo != "" {
		repos = slices.DeleteFunc(slices.Clone(repos), func(r v1alpha1.GitRepo) bool {
			return r.Name != f.Repo && r.Namespace+"/"+r.Name != f.Repo
		})
	}
	switch len(repos) {
	case 0:
		return nil, f.misspelt(all)
	case 1:
		return &repos[0], nil
	}
	var names []string
	for _, r := range repos {
		names = append(names, r.Namespace+"/"+r.Name)
	}
	return nil, usagef("the inventory has several GitRepos: choose one with --repo (%s)", strings.Join(names, ", "))
}

// misspelt refuses a name that is nearly a GitRepo's; any other is a prefix of names.
func (f *fileFlags) misspelt(repos []v1alpha1.GitRepo) error {
	var names []string
	for _, r := range repos {
		names = append(names, r.Name)
	}
	if near := nearest(f.Repo, names); f.Repo != "" && near != "" {
		return unknown("GitRepo", f.Repo, names)
	}
	return nil
}

// repoFor is what Load is told: the GitRepo, or one that targets every cluster.
func (f *fileFlags) repoFor(dir string, repo *v1alpha1.GitRepo) bundle.Repo {
	r := bundle.Repo{Name: f.Repo, Spec: v1alpha1.GitRepoSpec{
		Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterSelector: &metav1.LabelSelector{}}}},
	}}
	if repo != nil {
		r = bundle.Repo{Name: repo.Name, Spec: repo.Spec}
	}
	if r.Name == "" {
		r.Name = baseName(dir)
	}
	if len(f.Paths) > 0 {
		r.Spec.Paths, r.Spec.Bundles = f.Paths, nil
	}
	return r
}

// baseName of a directory, also of "." and "..".
func baseName(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	return filepath.Base(dir)
}

// workspaces a bundle is looked at in: the GitRepo's, else each that has clusters.
func (f *fleet) workspaces() []string {
	if f.repo != nil {
		return []string{f.repo.Namespace}
	}
	var names []string
	for _, c := range f.inventory.clusters {
		names = append(names, c.Workspace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// workspaceOf is where the bundles for a cluster are, with the values they read on the hub.
func (f *fleet) workspaceOf(c targets.Cluster) string {
	if f.repo != nil {
		return f.repo.Namespace
	}
	return c.Workspace
}

// bundle finds one by name among those read; broken ones are known too.
func (f *fleet) bundle(name string) (*bundle.Bundle, error) {
	var known []string
	for i := range f.read.Bundles {
		if f.read.Bundles[i].Name == name {
			return &f.read.Bundles[i], nil
		}
		known = append(known, f.read.Bundles[i].Name)
	}
	if slices.Contains(f.read.Broken, name) {
		return nil, nil
	}
	return nil, unknown("bundle", name, append(known, f.read.Broken...))
}

// problems are those of the inventory and of the repository.
func (f *fleet) problems() []v1alpha1.Problem {
	return slices.Concat(f.inventory.problems, f.read.Problems)
}

// problemOf is the first error of a broken bundle.
func (f *fleet) problemOf(name string) v1alpha1.Problem {
	for _, p := range f.read.Problems {
		if p.Severity == bundle.Error && (p.Bundle == name || p.Bundle == "") {
			return p
		}
	}
	return v1alpha1.Problem{Message: "it cannot be read; see muster validate"}
}

// pathOf finds the directory of a broken bundle, which a fault in it names.
func (f *fleet) pathOf(name string, fault v1alpha1.Problem) string {
	if fault.Bundle != name || fault.File == "" {
		return ""
	}
	nearest := ""
	for dir := fault.File; ; dir = path.Dir(dir) {
		options := optionsIn(f.dir, dir)
		if bundle.Name(f.repoName, dir, options) == name || bundle.Name(f.repoName, dir, "") == name {
			return dir
		}
		if nearest == "" && options != "" {
			nearest = dir
		}
		if dir == "." || dir == "/" {
			return nearest
		}
	}
}

// optionsIn is the options file of a directory, "" if it has none.
func optionsIn(root, dir string) string {
	for _, name := range []string{"fleet.yaml", "fleet.yml"} {
		if info, err := os.Stat(filepath.Join(root, filepath.FromSlash(dir), name)); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// reportProblems prints problems on stderr, one line each, and tells whether one is an error.
func (a *app) reportProblems(problems []v1alpha1.Problem) (failed bool) {
	for _, p := range problems {
		a.notef("%s", problemLine(p, inkFor(a.Err)))
		failed = failed || p.Severity == bundle.Error
	}
	return failed
}

// problemLine is file:line:column: severity: message (suggestion) [code].
func problemLine(p v1alpha1.Problem, ink ink) string {
	var line strings.Builder
	if where := position(p.File, p.Line, p.Column); where != "" {
		line.WriteString(where + ": ")
	}
	line.WriteString(ink.severity(p.Severity) + ": " + p.Message)
	if p.Suggestion != "" {
		line.WriteString("; " + p.Suggestion)
	}
	return line.String() + " [" + p.Code + "]"
}

// position is file:line:column as far as it is known.
func position(file string, numbers ...int) string {
	for _, n := range numbers {
		if file == "" || n == 0 {
			break
		}
		file = fmt.Sprintf("%s:%d", file, n)
	}
	return file
}
