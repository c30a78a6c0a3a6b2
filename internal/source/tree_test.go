package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/source"
)

func TestTheTreeIsAWellBehavedFS(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"fleet.yaml": "a: 1", "apps/web/cm.yaml": "b: 2", "apps/web.yaml": "c", "apps/web-extra/x": "d", "empty/.keep": " "})
	s := snapshot(t, newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	if err := fstest.TestFS(s.FS(), "fleet.yaml", "apps/web/cm.yaml", "apps/web.yaml", "apps/web-extra/x"); err != nil {
		t.Error(err)
	}
	// fs.Sub must work too, since bundles are loaded below a root.
	sub, err := fs.Sub(s.FS(), "apps")
	must(t, err)
	if err := fstest.TestFS(sub, "web/cm.yaml"); err != nil {
		t.Error(err)
	}
}

func TestSymlinksShowAndAreNeverFollowed(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"real/file": "1"})
	must(t, os.Symlink("/etc/passwd", filepath.Join(repo.dir, "passwd")))
	must(t, os.Symlink("real", filepath.Join(repo.dir, "dir")))
	repo.commit(nil)
	s := snapshot(t, newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	entries, err := fs.ReadDir(s.FS(), ".")
	must(t, err)
	got := map[string]string{}
	for _, e := range entries {
		got[e.Name()] = e.Type().String()
	}
	want := map[string]string{"real": "d---------", "passwd": "L---------", "dir": "L---------"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	for _, path := range []string{"passwd", "dir", "dir/file"} {
		_, readErr := fs.ReadFile(s.FS(), path)
		_, openErr := s.FS().Open(path)
		for _, err := range []error{readErr, openErr} {
			if !errors.Is(err, source.ErrSymlink) || !strings.Contains(err.Error(), strings.Split(path, "/")[0]) {
				t.Errorf("%s: %v, want ErrSymlink naming it", path, err)
			}
		}
	}
	if target, err := fs.ReadLink(s.FS(), "passwd"); err != nil || target != "/etc/passwd" {
		t.Errorf("ReadLink = %q, %v", target, err)
	}
	if _, err := fs.Stat(s.FS(), "passwd"); err != nil {
		t.Errorf("Stat = %v", err)
	}
}

func TestSubmodulesDoNotShow(t *testing.T) {
	repo := newRepository(t)
	commit := repo.commit(map[string]string{"a": "1"})
	repo.git("update-index", "--add", "--cacheinfo", "160000,"+commit+",vendor")
	repo.git("commit", "-q", "-m", "Add a submodule")
	s := snapshot(t, newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	if diff := cmp.Diff(map[string]string{"a": "1"}, contents(t, s)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := fs.Stat(s.FS(), "vendor"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of a submodule = %v, want ErrNotExist", err)
	}
}

func TestTreeHashesAreGits(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a/b/c.yaml": "1", "d": "2"})
	s := snapshot(t, newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	for path, rev := range map[string]string{".": "HEAD^{tree}", "a": "HEAD:a", "a/b": "HEAD:a/b", "a/b/c.yaml": "HEAD:a/b/c.yaml", "d": "HEAD:d"} {
		got, err := s.TreeHash(path)
		if want := repo.git("rev-parse", rev); err != nil || got != want {
			t.Errorf("TreeHash(%q) = %s, %v, want %s", path, got, err, want)
		}
	}
	for _, path := range []string{"", "/", "..", "a/", "missing", "d/x", "../a", "a//b"} {
		if _, err := s.TreeHash(path); err == nil {
			t.Errorf("TreeHash(%q) works", path)
		}
	}
}

func TestFilesAndEntriesAreBounded(t *testing.T) {
	repo := newRepository(t)
	files := map[string]string{"small": "x", "large": strings.Repeat("x", 5000)}
	for i := range 50 {
		files[fmt.Sprintf("many/%d", i)] = "x"
	}
	repo.commit(files)
	s := snapshot(t, newMirrors(t, source.Options{MaxFileBytes: 4096, MaxEntries: 40}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	if _, err := fs.ReadFile(s.FS(), "large"); !errors.Is(err, source.ErrTooLarge) || !strings.Contains(err.Error(), "large: 5000 bytes, limit is 4096") {
		t.Errorf("ReadFile of 5000 bytes = %v, want ErrTooLarge", err)
	}
	if info, err := fs.Stat(s.FS(), "large"); err != nil || info.Size() != 5000 {
		t.Errorf("Stat = %v, %v", info, err)
	}
	for range 20 {
		if _, err := fs.ReadDir(s.FS(), "."); err != nil {
			t.Fatalf("listing one directory many times: %v", err)
		}
	}
	if _, err := fs.ReadDir(s.FS(), "many"); !errors.Is(err, source.ErrTooLarge) {
		t.Errorf("ReadDir of 50 files = %v, want ErrTooLarge", err)
	}
	if data, err := fs.ReadFile(s.FS(), "small"); err != nil || string(data) != "x" {
		t.Errorf("ReadFile = %q, %v", data, err)
	}
}

func TestATreeOfTreesThatRepeatEndsEarly(t *testing.T) {
	repo := newRepository(t)
	// Ten levels of ten names for one tree: 10^10 files in a pack of a few hundred bytes.
	hash, kind := repo.gitInput("x", "hash-object", "-w", "--stdin"), "100644 blob"
	for range 10 {
		var tree strings.Builder
		for i := range 10 {
			fmt.Fprintf(&tree, "%s %s\t%d\n", kind, hash, i)
		}
		hash, kind = repo.gitInput(tree.String(), "mktree"), "040000 tree"
	}
	repo.git("update-ref", "refs/heads/main", repo.git("commit-tree", "-m", "Bomb", hash))
	s := snapshot(t, newMirrors(t, source.Options{MaxEntries: 5000}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	seen := 0
	err := fs.WalkDir(s.FS(), ".", func(_ string, _ fs.DirEntry, err error) error { seen++; return err })
	if !errors.Is(err, source.ErrTooLarge) || seen > 5000 {
		t.Errorf("WalkDir = %v after %d entries, want ErrTooLarge", err, seen)
	}
}

func TestHostileTreesAreErrorsThatNameTheEntry(t *testing.T) {
	for name, entry := range map[string]string{
		"dot dot": "..", "dot": ".", "dot git": ".git", "slash": "a/b", "not UTF-8": "caf\xe9",
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t)
			blob := repo.gitInput("x", "hash-object", "-w", "--stdin")
			raw := hexBytes(t, blob)
			tree := repo.gitInput("100644 "+entry+"\x00"+raw, "hash-object", "-w", "-t", "tree", "--literally", "--stdin")
			fine := repo.gitInput("100644 blob "+blob+"\tok\n040000 tree "+tree+"\tbad\n", "mktree")
			repo.git("update-ref", "refs/heads/main", repo.git("commit-tree", "-m", "Hostile", fine))
			s := snapshot(t, newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{})
			if _, err := fs.ReadDir(s.FS(), "bad"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", entry)) {
				t.Errorf("ReadDir = %v, want an error that names %q", err, entry)
			}
			if data, err := fs.ReadFile(s.FS(), "ok"); err != nil || string(data) != "x" {
				t.Errorf("the rest of the commit: %q, %v", data, err)
			}
		})
	}
}

func FuzzPath(f *testing.F) {
	repo := newRepository(f)
	files := map[string]string{"a": "1", "dir/b": "2", "dir/sub/c.yaml": "3", "ÄÖ/ü": "4"}
	repo.commit(files)
	s := snapshot(f, newMirrors(f, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	for _, seed := range []string{"a", "dir/b", "../a", "/a", "dir/../a", "./a", "dir//b", "", ".", "dir/sub/c.yaml/x", "\x00", "a\x00", "C:\\a", "dir\\b", ".git/config", "ÄÖ/ü", strings.Repeat("a/", 3000)} {
		f.Add(seed)
	}
	oracle := fstest.MapFS{}
	for name, content := range files {
		oracle[name] = &fstest.MapFile{Data: []byte(content)}
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := fs.ReadFile(s.FS(), path)
		want, wantErr := fs.ReadFile(oracle, path)
		if (err == nil) != (wantErr == nil) || string(got) != string(want) {
			t.Errorf("ReadFile(%q) = %q, %v, want %q, %v", path, got, err, want, wantErr)
		}
		_, err = s.TreeHash(path)
		_, wantErr = fs.Stat(oracle, path)
		if (err == nil) != (wantErr == nil) {
			t.Errorf("TreeHash(%q) = %v, Stat of the same %v", path, err, wantErr)
		}
	})
}
