package source_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/source"
)

func benchRepository(b *testing.B) (*repository, source.Remote) {
	b.Helper()
	repo := newRepository(b)
	files := map[string]string{}
	for i := range 500 {
		files[fmt.Sprintf("apps/%03d/cm.yaml", i)] = strings.Repeat(fmt.Sprintln("key", i), 50)
	}
	repo.commit(files)
	return repo, source.Remote{URL: repo.serve().url()}
}

// BenchmarkResolve lists the refs of an unchanged repository: what a poll costs.
func BenchmarkResolve(b *testing.B) {
	_, remote := benchRepository(b)
	m := newMirrors(b, source.Options{})
	for b.Loop() {
		_, err := m.Resolve(b.Context(), remote, source.Ref{Branch: "main"})
		must(b, err)
	}
}

// BenchmarkSnapshotOfAOneFileCommit fetches a commit that changes one of 500 files; the commit is not counted.
func BenchmarkSnapshotOfAOneFileCommit(b *testing.B) {
	repo, remote := benchRepository(b)
	m := newMirrors(b, source.Options{})
	must(b, snapshot(b, m, remote, source.Ref{}).Close())
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		repo.commit(map[string]string{"apps/250/cm.yaml": fmt.Sprint("changed ", i)})
		commit, err := m.Resolve(b.Context(), remote, source.Ref{})
		must(b, err)
		b.StartTimer()
		s, err := m.Snapshot(b.Context(), remote, source.Ref{}, commit)
		must(b, err)
		_, err = fs.ReadFile(s.FS(), "apps/250/cm.yaml")
		must(b, err)
		must(b, s.Close())
	}
}

// BenchmarkWalkAnUnchangedTree lists 500 directories that were listed before.
func BenchmarkWalkAnUnchangedTree(b *testing.B) {
	_, remote := benchRepository(b)
	m := newMirrors(b, source.Options{})
	s := snapshot(b, m, remote, source.Ref{})
	for b.Loop() {
		must(b, fs.WalkDir(s.FS(), ".", func(_ string, _ fs.DirEntry, err error) error { return err }))
	}
}
