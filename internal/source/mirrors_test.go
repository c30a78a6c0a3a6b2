package source_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/source"
)

// contents reads every file of a snapshot.
func contents(t testing.TB, s *source.Snapshot) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, fs.WalkDir(s.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(s.FS(), path)
		files[path] = string(data)
		return err
	}))
	return files
}

func TestEveryKindOfRefNamesItsCommit(t *testing.T) {
	repo := newRepository(t)
	first := repo.commit(map[string]string{"a.yaml": "one"})
	repo.git("tag", "light")
	repo.git("tag", "-a", "annotated", "-m", "A release")
	repo.git("tag", "-a", "nested", "-m", "A tag of a tag", "annotated")
	repo.git("branch", "release/1.x")
	second := repo.commit(map[string]string{"a.yaml": "two"})
	remote := source.Remote{URL: repo.serve().url()}

	for name, test := range map[string]struct {
		ref  source.Ref
		want string
	}{
		"remote HEAD":            {source.Ref{}, second},
		"branch":                 {source.Ref{Branch: "main"}, second},
		"branch with a slash":    {source.Ref{Branch: "release/1.x"}, first},
		"lightweight tag":        {source.Ref{Revision: "light"}, first},
		"annotated tag":          {source.Ref{Revision: "annotated"}, first},
		"tag of a tag":           {source.Ref{Revision: "nested"}, first},
		"full ref name":          {source.Ref{Revision: "refs/tags/light"}, first},
		"commit":                 {source.Ref{Revision: first}, first},
		"revision before branch": {source.Ref{Branch: "main", Revision: "light"}, first},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, newMirrors(t, source.Options{}), remote, test.ref)
			want := map[string]string{"a.yaml": map[string]string{first: "one", second: "two"}[test.want]}
			if s.Commit != test.want {
				t.Errorf("commit of %v = %s, want %s", test.ref, s.Commit, test.want)
			}
			if diff := cmp.Diff(want, contents(t, s)); diff != "" {
				t.Errorf("files of %v (-want +got):\n%s", test.ref, diff)
			}
		})
	}
}

func TestSnapshotTellsSubjectAndTime(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	s := snapshot(t, newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{})
	if s.Subject != "Change the files" || !s.Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("subject %q at %v", s.Subject, s.Time)
	}
}

func TestMissingRefsAreTypedAndHelpful(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	repo.git("tag", "v1.0.0")
	server := repo.serve()
	m := newMirrors(t, source.Options{})
	for name, test := range map[string]struct {
		ref  source.Ref
		want string
	}{
		"branch": {source.Ref{Branch: "mian"}, "resolve branch mian of " + server.url() +
			": branch mian does not exist there; check spec.branch and spec.revision; it has main"},
		"tag": {source.Ref{Revision: "v2"}, "resolve tag v2 of " + server.url() +
			": tag v2 does not exist there; check spec.branch and spec.revision; it has v1.0.0"},
		"short commit": {source.Ref{Revision: "abcdef12"}, "resolve tag abcdef12 of " + server.url() +
			": tag abcdef12 does not exist there; write a commit with all its 40 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Resolve(t.Context(), source.Remote{URL: server.url()}, test.ref)
			if !errors.Is(err, source.ErrRefNotFound) || err.Error() != test.want {
				t.Errorf("Resolve(%v) = %v\nwant %s", test.ref, err, test.want)
			}
		})
	}
}

func TestEmptyRepositoryIsAMissingRef(t *testing.T) {
	repo := newRepository(t)
	_, err := newMirrors(t, source.Options{}).Resolve(t.Context(), source.Remote{URL: repo.serve().url()}, source.Ref{})
	if !errors.Is(err, source.ErrRefNotFound) {
		t.Errorf("Resolve of an empty repository = %v, want ErrRefNotFound", err)
	}
}

func TestUnknownCommitIsAMissingRef(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}
	ref := source.Ref{Revision: strings.Repeat("ab", 20)}
	commit, err := m.Resolve(t.Context(), remote, ref)
	must(t, err)
	_, err = m.Snapshot(t.Context(), remote, ref, commit)
	if !errors.Is(err, source.ErrRefNotFound) {
		t.Errorf("Snapshot of an unknown commit = %v, want ErrRefNotFound", err)
	}
}

func TestAnUnchangedRemoteIsNotFetched(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: server.url()}
	for range 3 {
		snapshot(t, m, remote, source.Ref{Branch: "main"})
	}
	if got := [2]int64{server.listings.Load(), server.fetches.Load()}; got != [2]int64{3, 1} {
		t.Errorf("listings and fetches = %v, want 3 and 1", got)
	}
	if server.requests.Load() != 4 {
		t.Errorf("requests = %d, want 4", server.requests.Load())
	}
}

func TestANewCommitCostsOneListingAndOneSmallPack(t *testing.T) {
	repo := newRepository(t)
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("apps/%03d/cm.yaml", i)] = fmt.Sprintf("data: %0200d", i)
	}
	repo.commit(files)
	server := repo.serve()
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: server.url()}
	old := snapshot(t, m, remote, source.Ref{Branch: "main"})
	before := m.DiskBytes()

	repo.commit(map[string]string{"apps/007/cm.yaml": "data: changed"})
	now := snapshot(t, m, remote, source.Ref{Branch: "main"})
	files["apps/007/cm.yaml"] = "data: changed"

	if diff := cmp.Diff(files, contents(t, now)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got := contents(t, old)["apps/007/cm.yaml"]; got == "data: changed" {
		t.Errorf("the older snapshot shows the newer file")
	}
	if server.requests.Load() != 4 {
		t.Errorf("requests = %d, want 2 listings and 2 fetches", server.requests.Load())
	}
	if grown := m.DiskBytes() - before; grown > 20<<10 {
		t.Errorf("a one-line change took %d bytes on disk (the first clone %d)", grown, before)
	}
	changed := treeChanges(t, old, now)
	if diff := cmp.Diff([]string{"apps/007"}, changed); diff != "" {
		t.Errorf("directories with another tree hash (-want +got):\n%s", diff)
	}
}

func treeChanges(t *testing.T, a, b *source.Snapshot) []string {
	t.Helper()
	entries, err := fs.ReadDir(b.FS(), "apps")
	must(t, err)
	var changed []string
	for _, e := range entries {
		x, err := a.TreeHash("apps/" + e.Name())
		must(t, err)
		y, err := b.TreeHash("apps/" + e.Name())
		must(t, err)
		if x != y {
			changed = append(changed, "apps/"+e.Name())
		}
	}
	return changed
}

func TestTheMirrorIsARepositoryGitAgreesWith(t *testing.T) {
	repo := newRepository(t)
	dir := t.TempDir()
	m, err := source.NewMirrors(dir, source.Options{})
	must(t, err)
	remote := source.Remote{URL: repo.serve().url()}
	for i := range 3 {
		repo.commit(map[string]string{"a/b.yaml": strings.Repeat(fmt.Sprintln("line", i), 100)})
		must(t, snapshot(t, m, remote, source.Ref{}).Close())
	}
	must(t, m.Close())
	found, err := filepath.Glob(filepath.Join(dir, "m-*"))
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("mirrors on disk: %v", found)
	}
	out := repo.command(dir, "git", "--git-dir", found[0], "fsck", "--full", "--strict")
	if strings.Contains(out, "error") || strings.Contains(out, "missing") {
		t.Errorf("git fsck: %s", out)
	}
	if leftovers, _ := filepath.Glob(filepath.Join(dir, "tmp", "*")); len(leftovers) != 0 {
		t.Errorf("left in tmp: %v", leftovers)
	}
}

func TestAForcePushIsFollowed(t *testing.T) {
	repo := newRepository(t)
	first := repo.commit(map[string]string{"a": "1"})
	repo.commit(map[string]string{"a": "2"})
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}
	snapshot(t, m, remote, source.Ref{Branch: "main"})

	repo.git("reset", "-q", "--hard", first)
	if s := snapshot(t, m, remote, source.Ref{Branch: "main"}); s.Commit != first || contents(t, s)["a"] != "1" {
		t.Errorf("after a rewind: %s %v", s.Commit, contents(t, s))
	}
	repo.git("checkout", "-q", "--orphan", "fresh")
	other := repo.commit(map[string]string{"a": "3"})
	repo.git("branch", "-M", "main")
	if s := snapshot(t, m, remote, source.Ref{Branch: "main"}); s.Commit != other || contents(t, s)["a"] != "3" {
		t.Errorf("after unrelated history: %s %v", s.Commit, contents(t, s))
	}
}

func TestADeletedBranchKeepsTheOldSnapshotAndSaysSo(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	repo.git("branch", "prod")
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}
	s := snapshot(t, m, remote, source.Ref{Branch: "prod"})
	repo.git("branch", "-D", "prod")
	for range 2 {
		if _, err := m.Resolve(t.Context(), remote, source.Ref{Branch: "prod"}); !errors.Is(err, source.ErrRefNotFound) {
			t.Errorf("Resolve = %v, want ErrRefNotFound", err)
		}
	}
	if got := contents(t, s)["a"]; got != "1" {
		t.Errorf("old snapshot reads %q", got)
	}
}

func TestACommitThatTheBranchMovedOnFromIsStillServedOrTyped(t *testing.T) {
	repo := newRepository(t)
	first := repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: server.url()}
	commit, err := m.Resolve(t.Context(), remote, source.Ref{Branch: "main"})
	must(t, err)
	repo.git("checkout", "-q", "--orphan", "fresh")
	repo.commit(map[string]string{"a": "2"})
	repo.git("branch", "-M", "main")
	_, err = m.Snapshot(t.Context(), remote, source.Ref{Branch: "main"}, commit)
	if commit != first || !errors.Is(err, source.ErrRefNotFound) {
		t.Errorf("Snapshot of a commit that was force-pushed away = %v, want ErrRefNotFound", err)
	}
}

func TestACommitInsideHistoryIsFound(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	middle := repo.commit(map[string]string{"a": "2"})
	repo.commit(map[string]string{"a": "3"})
	s := snapshot(t, newMirrors(t, source.Options{}), source.Remote{URL: repo.serve().url()}, source.Ref{Revision: middle})
	if got := contents(t, s)["a"]; got != "2" {
		t.Errorf("a = %q, want 2", got)
	}
}

func TestManyCallersShareAListingThatStartedAfterTheyAsked(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	started, proceed := make(chan struct{}, 1), make(chan struct{})
	var once sync.Once
	server.on(func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() { started <- struct{}{}; <-proceed })
		return false
	})
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: server.url()}
	var group sync.WaitGroup
	group.Go(func() { _, err := m.Resolve(t.Context(), remote, source.Ref{}); must(t, err) })
	<-started
	got := make([]string, 20)
	for i := range got {
		group.Go(func() { got[i], _ = m.Resolve(t.Context(), remote, source.Ref{}) })
	}
	pushed := repo.commit(map[string]string{"a": "2"})
	// The 20 are waiting for the second flight, or will start it: in both cases they see the push.
	close(proceed)
	group.Wait()
	if slices.ContainsFunc(got, func(commit string) bool { return commit != pushed }) {
		t.Errorf("commits = %v, want all %s", got, pushed)
	}
	if n := server.listings.Load(); n > 21 {
		t.Errorf("%d listings for 21 callers", n)
	}
}

func TestAFlightIsShared(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	started, proceed := make(chan struct{}, 1), make(chan struct{})
	var once sync.Once
	server.on(func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() { started <- struct{}{}; <-proceed })
		return false
	})
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: server.url()}
	var group sync.WaitGroup
	group.Go(func() { _, err := m.Resolve(t.Context(), remote, source.Ref{}); must(t, err) })
	<-started
	// These callers give up while the first listing hangs, but their flight is booked: it runs once.
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Resolve(ctx, remote, source.Ref{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Resolve with an ended context = %v", err)
		}
	}
	close(proceed)
	group.Wait()
	_, err := m.Resolve(t.Context(), remote, source.Ref{})
	must(t, err)
	if n := server.listings.Load(); n < 2 || n > 3 {
		t.Errorf("%d listings, want 2 or 3 (the first, the shared one, perhaps the last)", n)
	}
}

func TestASlowServerDelaysNobodyElse(t *testing.T) {
	slow, quick := newRepository(t), newRepository(t)
	slow.commit(map[string]string{"a": "1"})
	quick.commit(map[string]string{"a": "1"})
	slowServer := slow.serve()
	m := newMirrors(t, source.Options{})
	remote := source.Remote{URL: slowServer.url()}
	commit, err := m.Resolve(t.Context(), remote, source.Ref{})
	must(t, err)
	entered, proceed := make(chan struct{}), make(chan struct{})
	defer close(proceed)
	slowServer.on(func(http.ResponseWriter, *http.Request) bool { close(entered); <-proceed; return true })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := m.Snapshot(ctx, remote, source.Ref{}, commit); done <- err }()
	<-entered
	snapshot(t, m, source.Remote{URL: quick.serve().url()}, source.Ref{})
	cancel()
	if err := <-done; !errors.Is(err, source.ErrUnreachable) {
		t.Errorf("Snapshot of the slow one = %v, want ErrUnreachable", err)
	}
}

func TestARestartUsesWhatIsThereAndSweepsTheRest(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	dir, remote := t.TempDir(), source.Remote{URL: server.url()}
	m, err := source.NewMirrors(dir, source.Options{})
	must(t, err)
	first := snapshot(t, m, remote, source.Ref{})
	must(t, first.Close())
	bytes := m.DiskBytes()
	if _, err := source.NewMirrors(dir, source.Options{}); err == nil {
		t.Fatal("a second process may use the directory at the same time")
	}
	must(t, m.Close())
	// What kill -9 in the middle of fetches leaves.
	must(t, os.WriteFile(filepath.Join(dir, "tmp", "pack-123"), make([]byte, 1<<20), 0o600))
	must(t, os.MkdirAll(filepath.Join(dir, "tmp", "store-9", "objects"), 0o700))

	m, err = source.NewMirrors(dir, source.Options{})
	must(t, err)
	defer func() { must(t, m.Close()) }()
	s, err := m.Snapshot(t.Context(), remote, source.Ref{}, first.Commit)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if got := contents(t, s)["a"]; got != "1" || server.fetches.Load() != 1 {
		t.Errorf("a = %q after %d fetches, want 1 and no second fetch", got, server.fetches.Load())
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "tmp")); len(left) != 0 || m.DiskBytes() != bytes {
		t.Errorf("left %v, %d bytes counted, want none and %d", left, m.DiskBytes(), bytes)
	}
}

func TestADamagedMirrorIsClonedAnew(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, mirror string){
		"pack truncated": func(t *testing.T, mirror string) {
			eachFile(t, filepath.Join(mirror, "objects/pack/*.pack"), func(p string) error { return os.Truncate(p, 40) })
		},
		"pack full of zeros": func(t *testing.T, mirror string) {
			eachFile(t, filepath.Join(mirror, "objects/pack/*.pack"), func(p string) error {
				info, err := os.Stat(p)
				must(t, err)
				return os.WriteFile(p, make([]byte, info.Size()), 0o600)
			})
		},
		"index gone": func(t *testing.T, mirror string) {
			eachFile(t, filepath.Join(mirror, "objects/pack/*.idx"), os.Remove)
		},
		"index garbage": func(t *testing.T, mirror string) {
			eachFile(t, filepath.Join(mirror, "objects/pack/*.idx"), func(p string) error { return os.WriteFile(p, []byte("garbage"), 0o600) })
		},
		"shallow gone": func(t *testing.T, mirror string) { must(t, os.Remove(filepath.Join(mirror, "shallow"))) },
		"all gone":     func(t *testing.T, mirror string) { must(t, os.RemoveAll(filepath.Join(mirror, "objects"))) },
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t)
			repo.commit(map[string]string{"a": strings.Repeat("text ", 1000)})
			dir, remote := t.TempDir(), source.Remote{URL: repo.serve().url()}
			m, err := source.NewMirrors(dir, source.Options{})
			must(t, err)
			must(t, snapshot(t, m, remote, source.Ref{}).Close())
			must(t, m.Close())
			found, _ := filepath.Glob(filepath.Join(dir, "m-*"))
			damage(t, found[0])

			m, err = source.NewMirrors(dir, source.Options{})
			must(t, err)
			defer func() { must(t, m.Close()) }()
			s := snapshot(t, m, remote, source.Ref{})
			if got := contents(t, s)["a"]; got != strings.Repeat("text ", 1000) {
				t.Errorf("a has %d bytes", len(got))
			}
			must(t, s.Close())
			if left, _ := filepath.Glob(filepath.Join(dir, "m-*")); len(left) != 1 {
				t.Errorf("mirrors on disk: %v, want one", left)
			}
		})
	}
}

func eachFile(t *testing.T, pattern string, do func(string) error) {
	t.Helper()
	found, err := filepath.Glob(pattern)
	must(t, err)
	if len(found) == 0 {
		t.Fatalf("nothing matches %s", pattern)
	}
	for _, path := range found {
		must(t, do(path))
	}
}

func TestDamageFoundWhileReadingIsAnErrorOnceAndGoneAfterwards(t *testing.T) {
	repo := newRepository(t)
	// Incompressible, so that the damage hits the file and not its neighbours.
	noise, err := exec.Command("sh", "-c", "head -c 100000 /dev/urandom | base64 -w 0").Output()
	must(t, err)
	repo.commit(map[string]string{"a": string(noise), "b": "fine"})
	dir, remote := t.TempDir(), source.Remote{URL: repo.serve().url()}
	m, err := source.NewMirrors(dir, source.Options{})
	must(t, err)
	defer func() { must(t, m.Close()) }()
	s := snapshot(t, m, remote, source.Ref{})
	eachFile(t, filepath.Join(dir, "m-*/objects/pack/*.pack"), func(p string) error {
		f, err := os.OpenFile(p, os.O_RDWR, 0)
		must(t, err)
		info, err := f.Stat()
		must(t, err)
		_, err = f.WriteAt(make([]byte, info.Size()/2), info.Size()/3)
		must(t, err)
		return f.Close()
	})
	if _, err := fs.ReadFile(s.FS(), "a"); !errors.Is(err, source.ErrCorrupt) {
		t.Fatalf("ReadFile = %v, want ErrCorrupt", err)
	}
	again := snapshot(t, m, remote, source.Ref{})
	if got := contents(t, again); got["a"] != string(noise) {
		t.Errorf("a has %d bytes, want %d", len(got["a"]), len(noise))
	}
}

func TestAMirrorIsClonedAnewAfterManyFetches(t *testing.T) {
	repo := newRepository(t)
	server := repo.serve()
	dir, remote := t.TempDir(), source.Remote{URL: server.url()}
	m, err := source.NewMirrors(dir, source.Options{MaxFetches: 4})
	must(t, err)
	defer func() { must(t, m.Close()) }()
	repo.commit(map[string]string{"a": "first"})
	kept := snapshot(t, m, remote, source.Ref{})
	for i := range 12 {
		repo.commit(map[string]string{"a": fmt.Sprint(i)})
		s := snapshot(t, m, remote, source.Ref{})
		if got := contents(t, s)["a"]; got != fmt.Sprint(i) {
			t.Errorf("a = %q, want %d", got, i)
		}
		must(t, s.Close())
		packs, _ := filepath.Glob(filepath.Join(dir, "m-*/objects/pack/*.pack"))
		if len(packs) > 8 {
			t.Fatalf("%d packs on disk after %d fetches", len(packs), i+1)
		}
	}
	if got := contents(t, kept)["a"]; got != "first" {
		t.Errorf("the snapshot held open reads %q", got)
	}
	must(t, kept.Close())
	if left, _ := filepath.Glob(filepath.Join(dir, "m-*")); len(left) != 1 {
		t.Errorf("mirrors on disk: %v, want one", left)
	}
	if got, want := m.DiskBytes(), diskUsage(t, dir); got != want {
		t.Errorf("counted %d bytes, on disk are %d", got, want)
	}
}

// diskUsage adds up all packs and indexes.
func diskUsage(t *testing.T, dir string) int64 {
	t.Helper()
	var total int64
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "objects/pack") && !strings.HasPrefix(path, filepath.Join(dir, "tmp")+"/") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	}))
	return total
}

// noise does not compress: 1.2 MB of text that take 0.9 MB in a pack.
func noise(t testing.TB) string {
	out, err := exec.Command("sh", "-c", "head -c 900000 /dev/urandom | base64 -w 0").Output()
	must(t, err)
	return string(out)
}

func TestAMirrorThatFillsTheDiskIsClonedAnew(t *testing.T) {
	repo := newRepository(t)
	m, remote := newMirrors(t, source.Options{MaxDiskBytes: 7 << 19}), source.Remote{URL: repo.serve().url()}
	for range 8 {
		want := noise(t)
		repo.commit(map[string]string{"a": want})
		s := snapshot(t, m, remote, source.Ref{})
		if contents(t, s)["a"] != want || m.DiskBytes() > 7<<19 {
			t.Fatalf("wrong file, or %d bytes on disk", m.DiskBytes())
		}
		must(t, s.Close())
	}
}

func TestTheDiskCapEvictsIdleMirrorsAndHolds(t *testing.T) {
	dir := t.TempDir()
	const limit = 7 << 19
	m, err := source.NewMirrors(dir, source.Options{MaxDiskBytes: limit})
	must(t, err)
	defer func() { must(t, m.Close()) }()
	remotes := make([]source.Remote, 5)
	for i := range remotes {
		repo := newRepository(t)
		repo.commit(map[string]string{"a": noise(t)})
		remotes[i] = source.Remote{URL: repo.serve().url()}
	}
	for i, remote := range remotes {
		must(t, snapshot(t, m, remote, source.Ref{}).Close())
		if used := diskUsage(t, dir); used > limit || used != m.DiskBytes() {
			t.Errorf("after %d: %d bytes on disk, %d counted, cap is %d", i, used, m.DiskBytes(), limit)
		}
	}
	// Three in use leave no room for a fourth, and nothing in use is taken away.
	var held []*source.Snapshot
	for _, remote := range remotes[:3] {
		held = append(held, snapshot(t, m, remote, source.Ref{}))
	}
	commit, err := m.Resolve(t.Context(), remotes[3], source.Ref{})
	must(t, err)
	if _, err := m.Snapshot(t.Context(), remotes[3], source.Ref{}, commit); !errors.Is(err, source.ErrTooLarge) {
		t.Errorf("Snapshot above the cap = %v, want ErrTooLarge", err)
	}
	for i, s := range held {
		if len(contents(t, s)["a"]) != 1200000 {
			t.Errorf("snapshot %d in use was taken away", i)
		}
	}
	must(t, held[0].Close())
	snapshot(t, m, remotes[3], source.Ref{})
	if used := diskUsage(t, dir); used > limit || used != m.DiskBytes() {
		t.Errorf("%d bytes on disk, %d counted, cap is %d", used, m.DiskBytes(), limit)
	}
}
