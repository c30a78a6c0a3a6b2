package hostile_test

import (
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// TestSmallFilesThatMeanMuchWorkAreRefused: each takes minutes or gigabytes where
// its product is not bounded. What runs Load has no prison around it.
func TestSmallFilesThatMeanMuchWorkAreRefused(t *testing.T) {
	large := "k: " + strings.Repeat("x", 400<<10) + "\n"
	names := strings.TrimSuffix(strings.Repeat("v.yaml, ", 900), ", ")
	tests := map[string]struct {
		tree fstest.MapFS
		code string
	}{
		"values files by customizations": {treeOf("v.yaml", large, "fleet.yaml", "targetCustomizations:\n"+
			repeat(100, "- {clusterName: c%d, helm: {valuesFiles: ["+names+"]}}\n")), bundle.CodeTooLarge},
		"values files that are not there": {treeOf("a.yaml", goodYAML, "fleet.yaml", "targetCustomizations:\n"+
			repeat(100, "- {clusterName: c%d, helm: {valuesFiles: ["+names+"]}}\n")), bundle.CodePathNotFound},
		"overlays that are not there": {withMany("overlays/o%d/a.txt", 700, "fleet.yaml", "targetCustomizations:\n"+
			repeat(900, "- {clusterName: c%d, yaml: {overlays: ["+strings.TrimSuffix(strings.Repeat("p, ", 90), ", ")+"]}}\n")), bundle.CodePathNotFound},
		"a regular expression": {treeOf("a.yaml", goodYAML, "fleet.yaml", "diff: {comparePatches: [{name: '(((a{100}){100}){10}'}, {name: '(a{1000}b{1000}){9}'}]}\n"), bundle.CodeInvalidValue},
		"classes of letters":   {treeOf("a.yaml", goodYAML, "fleet.yaml", "diff: {comparePatches: [{name: '\\pL{1000}\\pL{1000}'}]}\n"), bundle.CodeInvalidValue},
		"unknown keys":         {treeOf("a.yaml", goodYAML, "fleet.yaml", repeat(30_000, "keeepResourcees%d: 1\n")), bundle.CodeUnknownKey},
		"labels that are none": {treeOf("a.yaml", goodYAML, "fleet.yaml", "labels:\n"+repeat(30_000, "  l%d/a/b: x\n")), bundle.CodeInvalidValue},
		"dependencies": {treeOf("Chart.yaml", "name: c\nversion: 1.0.0\ndependencies:\n"+repeat(5_000, "- {name: d%d, version: 1.x, repository: 'https://c.example'}\n"),
			"charts/a"+strings.Repeat("-1", 120)+".tgz", "x"), bundle.CodeTooLarge},
		"a constraint":      {treeOf("Chart.yaml", "name: c\nversion: 1.0.0\ndependencies: [{name: d, repository: 'https://c.example', version: '"+strings.Repeat(">1 ", 20_000)+"'}]\n"), bundle.CodeInvalidValue},
		"objects in a file": {treeOf("a.yaml", repeat(15_000, "---\na: %d\n")), bundle.CodeInvalidObject},
		"objects in a list": {treeOf("a.yaml", "apiVersion: v1\nkind: List\nitems:\n"+repeat(60_000, "- %d\n")), bundle.CodeInvalidObject},
		"customizations":    {treeOf("a.yaml", goodYAML, "fleet.yaml", "targetCustomizations:\n"+repeat(1001, "- {clusterName: c%d}\n")), bundle.CodeTooLarge},
		"options in all":    {treeOf("a.yaml", goodYAML, "v.yaml", large, "fleet.yaml", "targetCustomizations:\n"+repeat(4, "- {clusterName: c%d, helm: {valuesFiles: [v.yaml]}}\n")), bundle.CodeTooLarge},
		"a duration":        {treeOf("a.yaml", goodYAML, "fleet.yaml", "windows: [{schedule: '0 0 * * *', duration: "+strings.Repeat("1h", 50_000)+"x}]\n"), bundle.CodeInvalidValue},
		"combinations":      {treeOf("fleet.yaml", "helm: {chart: c, repo: 'https://c.example'}\ntargetCustomizationMode: AllMatches\ntargetCustomizations:\n"+repeat(40, "- {clusterName: c%[1]d, helm: {version: 1.%[1]d.0}}\n- {clusterName: c%[1]d, helm: {chart: c%[1]d}}\n")), bundle.CodeTooLarge},
		"kustomize dirs":    {withMany("k%d/kustomization.yaml", 700, "fleet.yaml", "targetCustomizations:\n"+repeat(1000, "- {clusterName: c%d, kustomize: {dir: nothing-like-it}}\n")), bundle.CodePathNotFound},
		"charts not there":  {withMany("k%d/Chart.yaml", 700, "fleet.yaml", "targetCustomizations:\n"+repeat(1000, "- {clusterName: c%[1]d, helm: {chart: nothing-like-it-%[1]d}}\n")), bundle.CodePathNotFound},
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, func(t *testing.T) {
			r := read(tests[name].tree, v1alpha1.GitRepoSpec{})
			if len(r.Bundles) != 0 || !slices.Contains(codesOf(r), tests[name].code) || len(r.Problems) > 100 {
				t.Errorf("%d bundles, %d problems, codes %v", len(r.Bundles), len(r.Problems), slices.Compact(codesOf(r)))
			}
			for _, p := range r.Problems {
				if p.File == "" || len(p.Message) > 1000 {
					t.Errorf("problem in %q of %d bytes", p.File, len(p.Message))
				}
			}
		})
	}
}

// TestDenseFilesAreNotParsedHere: a megabyte of commas takes a hundred once it is
// parsed. As options or values it is refused, as a manifest left to the renderer.
func TestDenseFilesAreNotParsedHere(t *testing.T) {
	dense := map[string]string{
		"commas": "a: [" + strings.Repeat("a,", 510<<10) + "]\n", "keys": "{" + strings.Repeat("a:,", 340<<10) + "}\n",
		"items": strings.Repeat("- a\n", 255<<10), "documents": strings.Repeat("---\n", 255<<10), "lists": "[" + strings.Repeat("[],", 340<<10) + "]\n",
	}
	for name, data := range dense {
		for kind, tree := range map[string]fstest.MapFS{
			"manifest": treeOf("a.yaml", data), "options": treeOf("fleet.yaml", data, "a.yaml", goodYAML), "chart": treeOf("Chart.yaml", data),
			"values": treeOf("fleet.yaml", "helm: {valuesFiles: [v.yaml]}\n", "v.yaml", data), "overlay": treeOf("fleet.yaml", "yaml: {overlays: [o]}\n", "a.yaml", goodYAML, "overlays/o/a_patch.yaml", data),
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := read(tree, v1alpha1.GitRepoSpec{})
			runtime.ReadMemStats(&after)
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 24 {
				t.Errorf("%s as %s: %d MiB allocated", name, kind, took)
			}
			if refused := kind == "options" || kind == "values"; refused != slices.Contains(codesOf(r), bundle.CodeTooLarge) {
				t.Errorf("%s as %s: problems %v", name, kind, codesOf(r))
			}
		}
	}
}

// repeat writes a line n times, its number filled in if it asks for one.
func repeat(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

func withMany(name string, n int, kv ...string) fstest.MapFS {
	tree := treeOf(kv...)
	for i := range n {
		tree[fmt.Sprintf(name, i)] = &fstest.MapFile{Data: []byte("a: 1\n"), Mode: 0o644}
	}
	return tree
}

func treeOf(kv ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := 0; i < len(kv); i += 2 {
		tree[kv[i]] = text(kv[i+1])
	}
	return tree
}

func read(tree fs.FS, spec v1alpha1.GitRepoSpec) bundle.Result {
	return bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", Spec: spec})
}

func codesOf(r bundle.Result) []string {
	var codes []string
	for _, p := range r.Problems {
		codes = append(codes, p.Code)
	}
	return codes
}
