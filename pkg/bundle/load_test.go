package bundle_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestLoad runs testdata/*.txtar: a repository, optionally gitrepo.yaml beside
// it (the GitRepo's spec), and what Load makes of it in want.
func TestLoad(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) < 20 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { runGolden(t, name) })
	}
}

func runGolden(t *testing.T, name string) {
	ar, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	tree, repo, want := fstest.MapFS{}, bundle.Repo{Name: "repo"}, ""
	for _, f := range ar.Files {
		switch f.Name {
		case "want":
			want = string(f.Data)
		case "gitrepo.yaml":
			if err := yaml.UnmarshalStrict(f.Data, &repo.Spec); err != nil {
				t.Fatal(err)
			}
		default:
			tree[strings.TrimPrefix(f.Name, "repo/")] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	r := bundle.Load(bundle.DirTree(tree), repo)
	for _, b := range r.Bundles {
		checkStorable(t, b)
	}
	got := print(t, r)
	if *update {
		ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool { return f.Name == "want" })
		ar.Files = append(ar.Files, txtar.File{Name: "want", Data: []byte(got)})
		if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// print writes a result for people; identities are left out, they are digests.
func print(t *testing.T, r bundle.Result) string {
	t.Helper()
	var out strings.Builder
	for _, b := range r.Bundles {
		fmt.Fprintf(&out, "bundle %s, %s in %s\n", b.Name, b.Kind, b.Path)
		if b.OptionsFile != "" {
			fmt.Fprintf(&out, "  options %s\n", b.OptionsFile)
		}
		for _, k := range slices.Sorted(maps.Keys(b.Labels)) {
			fmt.Fprintf(&out, "  label %s=%s\n", k, b.Labels[k])
		}
		for _, f := range b.Files {
			fmt.Fprintf(&out, "  file %s\n", f.Path)
		}
		for _, ref := range bundle.RemoteCharts(b.Files, b.Spec) {
			fmt.Fprintf(&out, "  chart repo=%s chart=%s version=%s\n", ref.Repo, ref.Chart, ref.Version)
		}
		for _, key := range b.Unsupported {
			fmt.Fprintf(&out, "  unsupported %s\n", key)
		}
		spec, err := yaml.Marshal(b.Spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(spec)), "\n") {
			fmt.Fprintf(&out, "  | %s\n", line)
		}
	}
	for _, p := range r.Problems {
		out.WriteString(printProblem(p))
	}
	for _, name := range r.Broken {
		fmt.Fprintf(&out, "broken %s\n", name)
	}
	if r.Unknown {
		out.WriteString("unknown\n")
	}
	return out.String()
}

func printProblem(p bundle.Problem) string {
	at := p.File
	if p.Line > 0 {
		at += fmt.Sprintf(":%d", p.Line)
	}
	if p.Column > 0 {
		at += fmt.Sprintf(":%d", p.Column)
	}
	line := fmt.Sprintf("%s %s %s: %s", p.Severity, p.Code, at, p.Message)
	if p.Suggestion != "" {
		line += " [" + p.Suggestion + "]"
	}
	if p.Bundle != "" {
		line += " (" + p.Bundle + ")"
	}
	return line + "\n"
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"

func files(kv ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = &fstest.MapFile{Data: []byte(kv[i+1]), Mode: 0o644}
	}
	return out
}

func load(tree fs.FS, spec v1alpha1.GitRepoSpec) bundle.Result {
	return bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", Spec: spec})
}

func codes(r bundle.Result) []string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, p.Code)
	}
	return out
}

func TestSymbolicLinksAreRefusedAndNeverFollowed(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.yaml")
	writeFile(t, secret, "token: hunter2\n")
	link := func(t *testing.T, dir, name, to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]func(t *testing.T, dir string){
		"a manifest":       func(t *testing.T, dir string) { link(t, dir, "apps/l.yaml", secret) },
		"the options file": func(t *testing.T, dir string) { link(t, dir, "apps/fleet.yaml", secret) },
		"a directory":      func(t *testing.T, dir string) { link(t, dir, "apps/sub", filepath.Dir(secret)) },
		"the path itself": func(t *testing.T, dir string) {
			os.RemoveAll(filepath.Join(dir, "apps"))
			link(t, dir, "apps", filepath.Dir(secret))
		},
		"dangling": func(t *testing.T, dir string) { link(t, dir, "apps/l.yaml", "/nowhere") },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "apps/a.yaml"), configMap)
			prepare(t, dir)
			r := load(os.DirFS(dir), v1alpha1.GitRepoSpec{Paths: []string{"apps"}})
			if len(r.Bundles) != 0 || !slices.ContainsFunc(r.Problems, func(p bundle.Problem) bool { return p.Severity == bundle.Error }) {
				t.Errorf("want no bundle and an error, got %+v", r)
			}
			if strings.Contains(fmt.Sprintf("%+v", r), "hunter2") {
				t.Error("what the link points to is in the result")
			}
		})
	}
}

func TestAnIgnoredLinkDoesNotMatter(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.yaml"), configMap)
	writeFile(t, filepath.Join(dir, ".fleetignore"), "l.yaml\n")
	if err := os.Symlink("a.yaml", filepath.Join(dir, "l.yaml")); err != nil {
		t.Fatal(err)
	}
	if r := load(os.DirFS(dir), v1alpha1.GitRepoSpec{}); len(r.Bundles) != 1 || len(r.Problems) != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestHostilePathsAreRefused(t *testing.T) {
	for _, path := range []string{"..", "../x", "a/../../x", "/../x", "a\\b", "a\x00b", "\xff"} {
		r := load(files("a/a.yaml", configMap), v1alpha1.GitRepoSpec{Paths: []string{path}})
		if len(r.Bundles) != 0 || !r.Unknown || !slices.Contains(codes(r), bundle.CodeInvalidPath) {
			t.Errorf("path %q: %+v", path, r)
		}
		r = load(files("a/a.yaml", configMap), v1alpha1.GitRepoSpec{Bundles: []v1alpha1.BundlePath{{Base: path}}})
		if len(r.Bundles) != 0 || !r.Unknown {
			t.Errorf("base %q: %+v", path, r)
		}
		r = load(files("a/a.yaml", configMap), v1alpha1.GitRepoSpec{Bundles: []v1alpha1.BundlePath{{Base: "a", Options: path}}})
		if len(r.Bundles) != 0 || !r.Unknown {
			t.Errorf("options %q: %+v", path, r)
		}
	}
}

// rawTree answers with entry names no honest file system has.
type rawTree struct {
	fstest.MapFS
	names []string
}

func (t rawTree) TreeHash(string) (string, error) { return "h", nil }

func (t rawTree) ReadDir(dir string) ([]fs.DirEntry, error) {
	entries, err := t.MapFS.ReadDir("d")
	var out []fs.DirEntry
	for i, e := range entries {
		out = append(out, renamed{e, t.names[i]})
	}
	return out, err
}

type renamed struct {
	fs.DirEntry
	name string
}

func (r renamed) Name() string { return r.name }

func TestHostileEntryNamesAreRefused(t *testing.T) {
	for _, name := range []string{"..", "a/b.yaml", "a\\b.yaml", "x\x1b[31m.yaml", "\xff.yaml"} {
		tree := rawTree{files("d/a.yaml", configMap, "d/b.yaml", configMap), []string{"a.yaml", name}}
		r := bundle.Load(tree, bundle.Repo{Name: "repo"})
		if len(r.Bundles) != 0 || !slices.Contains(codes(r), bundle.CodeInvalidPath) {
			t.Errorf("entry %q: %+v", name, r)
		}
	}
}

func TestPathsThatLookAlikeAreRefused(t *testing.T) {
	for _, pair := range [][2]string{{"a.yaml", "A.yaml"}, {"dir/x.yaml", "Dir/x.yaml"}, {"caf\u00e9.yaml", "cafe\u0301.yaml"}} {
		r := load(files(pair[0], configMap, pair[1], configMap), v1alpha1.GitRepoSpec{})
		if len(r.Bundles) != 0 || !slices.Contains(codes(r), bundle.CodePathCollision) {
			t.Errorf("%q: %+v", pair, r)
		}
	}
}

func TestAFewBytesThatMeanBillionsAreRefused(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	indented := "helm:\n  values:\n    " + strings.ReplaceAll(strings.TrimSpace(bomb), "\n", "\n    ") + "\n"
	deep := "helm: {values: {a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}}\n"
	cycle := "helm: {values: &v {a: *v}}\n"
	for name, tree := range map[string]fstest.MapFS{
		"options": files("fleet.yaml", indented), "values file": files("fleet.yaml", "helm: {valuesFiles: [v.yaml]}\n", "v.yaml", bomb),
		"long text": files("fleet.yaml", "helm: {values: {a: &a "+strings.Repeat("x", 100_000)+", b: ["+strings.Repeat("*a, ", 1000)+"]}}\n"),
		"manifest":  files("a.yaml", bomb), "deep": files("fleet.yaml", deep), "cycle": files("fleet.yaml", cycle),
	} {
		r := load(tree, v1alpha1.GitRepoSpec{})
		if len(r.Bundles) != 0 || !slices.Contains(codes(r), bundle.CodeTooLarge) {
			t.Errorf("%s: problems %v", name, codes(r))
		}
	}
}

func TestLargeFilesAreRefused(t *testing.T) {
	large := strings.Repeat("# padding\n", 1<<20)
	for name, tree := range map[string]fstest.MapFS{
		"manifest": files("a.yaml", large), "options": files("fleet.yaml", large[:2<<20], "a.yaml", configMap),
	} {
		r := load(tree, v1alpha1.GitRepoSpec{})
		if len(r.Bundles) != 0 || !slices.Contains(codes(r), bundle.CodeTooLarge) {
			t.Errorf("%s: %v", name, codes(r))
		}
	}
}

func TestABrokenBundleKeepsWhatWasLiveThere(t *testing.T) {
	tree := files("a/fleet.yaml", "nmae: shop\n", "a/x.yaml", configMap, "b/fleet.yaml", "name: other\n", "b/x.yaml", configMap)
	r := bundle.Load(bundle.DirTree(tree), bundle.Repo{Name: "repo", LivePaths: map[string]string{"shop": "a", "other": "b"}})
	if diff := cmp.Diff([]string{"repo-a", "shop"}, r.Broken); diff != "" || r.Unknown {
		t.Errorf("unknown %t, broken (-want +got):\n%s", r.Unknown, diff)
	}
	if r = load(tree, v1alpha1.GitRepoSpec{}); !r.Unknown {
		t.Error("without knowing what is live, a name in doubt must leave the set unknown")
	}
	tree["a/fleet.yaml"].Data = []byte("name: shop\nnamespcae: x\n")
	if r = load(tree, v1alpha1.GitRepoSpec{}); r.Unknown || !slices.Equal(r.Broken, []string{"shop"}) {
		t.Errorf("a name that is plain to read: unknown %t, broken %v", r.Unknown, r.Broken)
	}
	tree["a/fleet.yaml"].Data = []byte("name: shop\n  bad: [\n")
	if r = load(tree, v1alpha1.GitRepoSpec{}); r.Unknown || !slices.Equal(r.Broken, []string{"shop"}) {
		t.Errorf("a file that does not parse: unknown %t, broken %v", r.Unknown, r.Broken)
	}
}

func TestValidateReturnsEveryProblemInOneRun(t *testing.T) {
	tree := files("a/fleet.yaml", "namspace: x\nhelm: {atomic: true, valuesFiles: [none.yaml]}\n", "a/x.yaml", "kind: 1\n", "b/y.yaml", "a: [\n")
	problems := bundle.Validate(bundle.DirTree(tree), bundle.Repo{Name: "repo", Spec: v1alpha1.GitRepoSpec{Paths: []string{"a", "b", "c"}}})
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%s:%d %s", p.File, p.Line, p.Code))
	}
	want := []string{":0 PathNotFound", "a/fleet.yaml:1 UnknownKey", "a/fleet.yaml:2 NotSupported", "a/fleet.yaml:2 PathNotFound",
		"a/x.yaml:1 InvalidObject", "b/y.yaml:2 InvalidYAML"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
