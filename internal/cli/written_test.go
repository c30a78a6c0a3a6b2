package cli_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A second run removes what only an earlier one wrote, and nothing that is
// somebody else's.
func TestRenderRemovesWhatItNoLongerWrites(t *testing.T) {
	t.Chdir(t.TempDir())
	object := "{apiVersion: v1, kind: ConfigMap, metadata: {name: "
	put(t, "repo/a/fleet.yaml", "name: a")
	put(t, "repo/a/c.yaml", object+"a}}")
	put(t, "repo/b/fleet.yaml", "name: b")
	put(t, "repo/b/c.yaml", object+"b}}")
	put(t, "other/c/fleet.yaml", "name: c")
	put(t, "other/c/c.yaml", object+"c}}")
	put(t, "inventory.yaml", "{apiVersion: muster.dev/v1alpha1, kind: Cluster, metadata: {name: one}}\n---\n{apiVersion: muster.dev/v1alpha1, kind: Cluster, metadata: {name: two}}\n")
	renderInto(t, "repo", "0\n")
	renderInto(t, "other", "0\n")
	put(t, "out/default/two/mine.yaml", "mine: true")
	put(t, "out/README", "mine")
	put(t, "out/default/two/b.yaml", "changed: true")
	want := []string{
		".muster-render", "README",
		"default/one/a.yaml", "default/one/b.yaml", "default/one/c.yaml",
		"default/two/a.yaml", "default/two/b.yaml", "default/two/c.yaml", "default/two/mine.yaml",
	}
	wantFiles(t, "out", want)

	t.Log("a run that fails leaves what it could not make anew")
	put(t, "repo/b/c.yaml", "{apiVersion: v1}")
	renderInto(t, "repo", "1\n")
	wantFiles(t, "out", want)

	t.Log("one bundle alone says nothing about others")
	if err := os.RemoveAll("repo/b"); err != nil {
		t.Fatal(err)
	}
	renderInto(t, "repo", "0\n", "--bundle", "a")
	wantFiles(t, "out", want)

	stderr := renderInto(t, "repo", "0\n")
	wantFiles(t, "out", []string{
		".muster-render", "README",
		"default/one/a.yaml", "default/one/c.yaml",
		"default/two/a.yaml", "default/two/b.yaml", "default/two/c.yaml", "default/two/mine.yaml",
	})
	if want := "out/default/two/b.yaml: not removed: it was changed since render wrote it\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}

	t.Log("a cluster that left leaves no directory behind")
	put(t, "inventory.yaml", "{apiVersion: muster.dev/v1alpha1, kind: Cluster, metadata: {name: two}}")
	renderInto(t, "repo", "0\n")
	renderInto(t, "other", "0\n")
	if _, err := os.Stat("out/default/one"); !os.IsNotExist(err) {
		t.Errorf("out/default/one: %v, want it gone", err)
	}
}

// Names in the list that render would not give are nobody's to remove.
func TestRenderRemovesNothingElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "repo/c.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")
	put(t, "inventory.yaml", "{apiVersion: muster.dev/v1alpha1, kind: Cluster, metadata: {name: one}}")
	for _, name := range []string{"a/b/kept.yaml", "out/x/kept.yaml", "out/x/y/kept.txt"} {
		put(t, name, "")
	}
	if err := os.Symlink("../a", "out/linked"); err != nil {
		t.Fatal(err)
	}
	empty := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\trepo\t"
	put(t, "out/.muster-render", strings.Join([]string{
		empty + "../a/b/kept.yaml", empty + "x/kept.yaml", empty + "x/y/kept.txt", "nonsense", "",
	}, "\n"))
	renderInto(t, "repo", "0\n")
	put(t, "out/.muster-render", empty+"linked/b/kept.yaml\n")
	renderInto(t, "repo", "1\n")
	for _, name := range []string{"a/b/kept.yaml", "out/x/kept.yaml", "out/x/y/kept.txt"} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

func renderInto(t *testing.T, dir, exit string, more ...string) (stderr string) {
	t.Helper()
	args := append([]string{"muster", "render", dir, "--inventory", "inventory.yaml", "--all-clusters", "-o", "out"}, more...)
	got := run(t, args)
	if got["exit"] != exit {
		t.Fatalf("%s: exit %s: %s", strings.Join(args, " "), got["exit"], got["stderr"])
	}
	return got["stderr"]
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantFiles(t *testing.T, dir string, want []string) {
	t.Helper()
	var got []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v; files in %s (-want +got):\n%s", err, dir, diff)
	}
}
