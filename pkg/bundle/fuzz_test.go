package bundle_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// FuzzLoad feeds hostile options, manifests, ignore files and paths. Whatever
// comes in, every bundle is in exactly one place, can be stored, and reading twice
// says the same.
func FuzzLoad(f *testing.F) {
	f.Add("name: x\nhelm: {values: {a: [1]}}\n", configMap, "*.bak\n", "apps/*")
	f.Add("targets: [{clusterName: a}]\ntargetCustomizations: [&a {name: b}, {<<: *a}]\n", "a: [\n", "!x\n[\n", "/")
	f.Add("helm: {values: &v {a: *v}}\n", "{}\n---\n- 1\n", "**/\\", "../x")
	f.Add("? [a]\n: b\n", "", "\\", "[")
	f.Add("helm:\n  valuesFiles: [../../etc/passwd, m.yaml]\nname: '-'\n", "%YAML 9\n---\n", "", "a\\b")
	f.Add("helm: {chart: app, repo: 'https://c.example', version: '>=1 <2 || ^3'}\ntargetCustomizationMode: AllMatches\ntargetCustomizations: [{clusterName: a, helm: {chart: 'oci://r/a'}}, {clusterGroup: g, helm: {version: x}}]\n", "dependencies: [{name: a, repository: 'file://..'}]\n", "", "")
	f.Add("windows: [{duration: 1d}]\ndrift: {mode: ''}\nlabels: {a/b/c: d}\nnamespaceLabels: {}\nhealth: []\n", "", "", "apps")
	f.Add("yaml: {overlays: [.., a//b, '']}\nrolloutStrategy: {maxUnavailable: 1e9}\ndiff: {comparePatches: [{name: '(', operations: [{}]}]}\n", "", "", "apps/b")
	f.Add("downstreamResources: [{}]\nhubValuesFrom: [{secretKeyRef: {}}]\ndependsOn: [{}]\ncorrectDrift: {enabled: true}\n", "", "", "apps/a")
	f.Fuzz(func(t *testing.T, options, manifest, ignore, path string) {
		tree := bundle.DirTree(files("apps/a/fleet.yaml", options, "apps/a/m.yaml", manifest, "apps/a/Chart.yaml", manifest, "apps/b/m.json", manifest,
			"apps/b/ok.yaml", configMap, "apps/b/fleet.yml", options, ".fleetignore", ignore))
		repo := bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{Paths: []string{path}}}
		r := bundle.Load(tree, repo)
		checkPlaces(t, r)
		for _, b := range r.Bundles {
			checkBundle(t, b)
		}
		d := r.Deployable()
		checkPlaces(t, d)
		if len(d.Bundles)+len(d.Broken) != len(r.Bundles)+len(r.Broken) {
			t.Fatalf("Deployable lost a bundle: %d and %v of %d and %v", len(d.Bundles), d.Broken, len(r.Bundles), r.Broken)
		}
		repo.Known = known(r)
		for _, b := range bundle.Load(tree, repo).Bundles {
			if !b.Unchanged {
				t.Fatalf("%s changed without a change", b.Name)
			}
		}
	})
}

// checkPlaces wants each name once, healthy or broken, and something said.
func checkPlaces(t *testing.T, r bundle.Result) {
	t.Helper()
	for i, b := range r.Bundles {
		if slices.Contains(r.Broken, b.Name) || i > 0 && r.Bundles[i-1].Name == b.Name {
			t.Fatalf("%s is there twice", b.Name)
		}
	}
	if len(r.Bundles) == 0 && len(r.Broken) == 0 && !r.Unknown {
		t.Fatalf("nothing found and nothing said: %+v", r.Problems)
	}
	for _, p := range r.Problems {
		if p.Message == "" || p.Code == "" || p.Severity != bundle.Error && p.Severity != bundle.Warning || p.Line < 0 {
			t.Fatalf("problem %+v", p)
		}
	}
}

func checkBundle(t *testing.T, b bundle.Bundle) {
	t.Helper()
	if b.Name == "" || b.Identity == "" || len(b.Spec.Targets) == 0 {
		t.Fatalf("half a bundle: %+v", b)
	}
	checkStorable(t, b)
	for _, file := range b.Files {
		if !fs.ValidPath(file.Path) {
			t.Fatalf("file %q", file.Path)
		}
	}
	for _, ref := range bundle.RemoteCharts(b.Files, b.Spec) {
		url := ref.Repo
		if url == "" {
			url = ref.Chart
		}
		if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "oci://") || strings.Contains(url, "@") && strings.Contains(strings.SplitN(url[8:]+"/", "/", 2)[0], "@") {
			t.Fatalf("chart %+v", ref)
		}
	}
	for _, name := range bundle.Skipped(b) {
		if !slices.ContainsFunc(b.Files, func(f bundle.File) bool { return f.Path == name }) {
			t.Fatalf("%q is skipped and not there", name)
		}
	}
	once := bundle.Merge(b.Spec.BundleOptions, v1alpha1.BundleOptions{})
	for _, c := range b.Spec.TargetCustomizations {
		merged := bundle.Merge(once, c.BundleOptions)
		if got, want := asJSON(t, bundle.Merge(merged, c.BundleOptions)), asJSON(t, merged); got != want {
			t.Fatalf("merged twice:\n%s\nonce:\n%s", got, want)
		}
	}
}

// FuzzIgnore feeds any ignore file. What the rules say before cannot undo what
// Git promises of the last ones.
func FuzzIgnore(f *testing.F) {
	f.Add("*.txt\n!a.txt\n", "dir")
	f.Add("**/a\n/dir/**\n!/dir/sub/\n", "sub")
	f.Add("[!a-z\n\\!x\n#\n  \n", "a b")
	f.Add("!*\n!**\n!/\n!dir/\n", "dir")
	f.Add("a\\ \r\n\ufeff*\n", "x")
	f.Fuzz(func(t *testing.T, rules, name string) {
		if !plainName(name) {
			return
		}
		tree := files("keep.yaml", configMap, name+"/a.txt", "x", name+"/sub/b.txt", "x", "other/"+name+"/c.txt", "x", "other/d.txt", "x")
		with := func(dir, text string) []string { return keptWith(t, tree, dir, text) }
		if len(rules) > 60<<10 || strings.Count(rules, "\n") > 900 {
			return // too many rules are refused, see TestAPatternOfManyStarsCostsLittle
		}
		first := with(".", rules+"\n!keep.yaml\n")
		for _, extra := range []string{"\n# comment\n", "\n\n", "\n!\n", "\n/\n"} {
			if got := with(".", rules+"\n!keep.yaml\n"+extra); !slices.Equal(got, first) {
				t.Fatalf("%q after the rules changes what is kept: %q, was %q", extra, got, first)
			}
		}
		escaped := escapePattern(name)
		for _, file := range with(".", rules+"\n/"+escaped+"/\n!/"+escaped+"/a.txt\n!a.txt\n!b.txt\n!keep.yaml\n") {
			if strings.HasPrefix(file, name+"/") {
				t.Fatalf("%s is kept in an ignored directory", file)
			}
		}
		if got := with(".", rules+"\n*\n"); len(got) != 0 {
			t.Fatalf("%q is kept after *", got)
		}
		base := with(".", "")
		for _, file := range base {
			if below := strings.HasPrefix(file, "other/"); !below && !slices.Contains(with("other", rules), file) {
				t.Fatalf("rules in other/ ignore %s", file)
			}
		}
	})
}

// plainName tells whether a name can stand in a tree and is not one of the others there.
func plainName(name string) bool {
	return name != "" && len(name) < 200 && fs.ValidPath(name) && !strings.ContainsAny(name, "/\\") && !strings.HasPrefix(name, ".") &&
		strings.ToValidUTF8(name, "?") == name && !strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f || r >= 0x80 }) &&
		!slices.Contains([]string{"other", "keep.yaml", "sub"}, strings.ToLower(name)) && !strings.HasSuffix(name, " ")
}

func escapePattern(name string) string {
	var b strings.Builder
	for _, r := range name {
		if strings.ContainsRune(`*?[]!#\ `, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// keptWith are the files of the bundle at the root with an ignore file in a directory.
func keptWith(t *testing.T, tree fstest.MapFS, dir, rules string) []string {
	t.Helper()
	all := fstest.MapFS{dir + "/.fleetignore": &fstest.MapFile{Data: []byte(rules), Mode: 0o644}}
	if dir == "." {
		all = fstest.MapFS{".fleetignore": &fstest.MapFile{Data: []byte(rules), Mode: 0o644}}
	}
	for name, file := range tree {
		all[name] = file
	}
	r := bundle.Load(bundle.DirTree(all), bundle.Repo{Name: "r"})
	if len(r.Bundles) != 1 {
		t.Fatalf("%d bundles, problems %v", len(r.Bundles), r.Problems)
	}
	var names []string
	for _, f := range r.Bundles[0].Files {
		names = append(names, f.Path)
	}
	return names
}

// guarded is a tree that fails the test when anything outside of it is asked for.
type guarded struct {
	fstest.MapFS
	t *testing.T
}

func (g guarded) check(name string) {
	if !fs.ValidPath(name) || strings.Contains("/"+name+"/", "/.git/") {
		g.t.Errorf("asked for %q", name)
	}
}

func (g guarded) Open(name string) (fs.File, error) {
	g.check(name)
	return g.MapFS.Open(name)
}

func (g guarded) ReadDir(name string) ([]fs.DirEntry, error) {
	g.check(name)
	return g.MapFS.ReadDir(name)
}

func (g guarded) Lstat(name string) (fs.FileInfo, error) {
	g.check(name)
	return g.MapFS.Lstat(name)
}

func (g guarded) TreeHash(name string) (string, error) {
	g.check(name)
	return bundle.DirTree(g.MapFS).TreeHash(name)
}

// FuzzPath feeds a path wherever one can be written: none leads out of the
// repository, nor a bundle's out of the bundle.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a", "/", "a/*", "../x", "a/../../etc", "/../a", "./a/./b", "a//b", ".git", "a\\..\\b", "\x00", "**", "[a", "a/..", "\xff", "file://../..", ". ", "a/b/../../.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tree := guarded{files("secret.yaml", configMap, ".git/config", "token", "a/x.yaml", configMap, "a/b/Chart.yaml", "name: b\nversion: 1.0.0\n", "a/b/v.yaml", "k: v\n",
			"a/b/overlays/o/x.yaml", configMap), t}
		for _, spec := range []v1alpha1.GitRepoSpec{
			{Paths: []string{path}}, {Bundles: []v1alpha1.BundlePath{{Base: path}}}, {Bundles: []v1alpha1.BundlePath{{Base: "a", Options: path}}},
		} {
			for _, b := range bundle.Load(tree, bundle.Repo{Name: "r", Spec: spec}).Bundles {
				if !fs.ValidPath(b.Path) || strings.HasPrefix(b.Path, ".git/") || b.Path == ".git" {
					t.Errorf("bundle in %q", b.Path)
				}
			}
		}
		quoted := fmt.Sprintf("%q", path)
		options := fmt.Sprintf("kustomize: {dir: %s}\nhelm: {chart: %s, valuesFiles: [%s]}\nyaml: {overlays: [%s]}\n", quoted, quoted, quoted, quoted)
		tree.MapFS["a/b/fleet.yaml"] = &fstest.MapFile{Data: []byte(options), Mode: 0o644}
		tree.MapFS["a/b/requirements.yaml"] = &fstest.MapFile{Data: []byte(fmt.Sprintf("dependencies: [{name: d, repository: %q}]\n", "file://"+path)), Mode: 0o644}
		r := bundle.Load(tree, bundle.Repo{Name: "r", Spec: v1alpha1.GitRepoSpec{Paths: []string{"a/b"}}})
		for _, b := range r.Bundles {
			for _, d := range bundle.Dependencies(b.Files, ".") {
				if d.Dir != "" && !fs.ValidPath(d.Dir) {
					t.Errorf("dependency in %q", d.Dir)
				}
			}
			if b.Spec.Helm != nil && b.Spec.Helm.Values != nil && strings.Contains(string(b.Spec.Helm.Values.Raw), "token") {
				t.Error("values from outside")
			}
		}
	})
}
