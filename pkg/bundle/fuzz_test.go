package bundle_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// FuzzLoad feeds hostile options, manifests, ignore files and paths. Whatever
// comes in, every bundle is in exactly one place and reading twice says the same.
func FuzzLoad(f *testing.F) {
	f.Add("name: x\nhelm: {values: {a: [1]}}\n", configMap, "*.bak\n", "apps/*")
	f.Add("targets: [{clusterName: a}]\ntargetCustomizations: [&a {name: b}, {<<: *a}]\n", "a: [\n", "!x\n[\n", "/")
	f.Add("helm: {values: &v {a: *v}}\n", "{}\n---\n- 1\n", "**/\\", "../x")
	f.Add("? [a]\n: b\n", "", "\\", "[")
	f.Add("helm:\n  valuesFiles: [../../etc/passwd, m.yaml]\nname: '-'\n", "%YAML 9\n---\n", "", "a\\b")
	f.Fuzz(func(t *testing.T, options, manifest, ignore, path string) {
		tree := bundle.DirTree(files("apps/a/fleet.yaml", options, "apps/a/m.yaml", manifest, "apps/b/m.json", manifest, "apps/b/ok.yaml", configMap, ".fleetignore", ignore))
		repo := bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{Paths: []string{path}}}
		r := bundle.Load(tree, repo)
		for i, b := range r.Bundles {
			if b.Name == "" || b.Identity == "" || len(b.Spec.Targets) == 0 && b.Spec.Targets == nil {
				t.Fatalf("half a bundle: %+v", b)
			}
			if slices.Contains(r.Broken, b.Name) || i > 0 && r.Bundles[i-1].Name == b.Name {
				t.Fatalf("%s is there twice", b.Name)
			}
			for _, file := range b.Files {
				if strings.Contains("/"+file.Path+"/", "/../") || strings.HasPrefix(file.Path, "/") {
					t.Fatalf("file %q", file.Path)
				}
			}
		}
		if len(r.Bundles) == 0 && len(r.Broken) == 0 && !r.Unknown {
			t.Fatalf("nothing found and nothing said: %+v", r.Problems)
		}
		repo.Known = known(r)
		for _, b := range bundle.Load(tree, repo).Bundles {
			if !b.Unchanged {
				t.Fatalf("%s changed without a change", b.Name)
			}
		}
	})
}
