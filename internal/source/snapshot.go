package source

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// Snapshot is one commit and its files. It may be used by many goroutines until Close.
type Snapshot struct {
	// Commit is the full commit id.
	Commit string
	// Subject is the first line of its message, bounded and printable.
	Subject string
	// Time is when it was committed, by the committer's clock.
	Time time.Time

	root  plumbing.Hash
	key   string
	store *store
	dirs  *directories
	opts  Options

	closed sync.Once
	// seen bounds what is shown: a few hundred bytes of trees that name each other can stand for billions of files.
	mu      sync.Mutex // guards the two fields below
	seen    map[string]struct{}
	entries int
}

func openSnapshot(owner *Mirrors, key string, s *store, commit plumbing.Hash) (*Snapshot, error) {
	s.pin()
	c, err := s.commit(commit)
	if err != nil {
		return nil, errors.Join(err, s.unpin())
	}
	subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	return &Snapshot{
		Commit: commit.String(), Subject: oneLine(subject, nil), Time: c.Committer.When,
		root: c.TreeHash, key: key, store: s, dirs: owner.dirs, opts: owner.opts, seen: make(map[string]struct{}),
	}, nil
}

// FS is the commit's tree: read-only, with contents read from the object store when they are asked for. Symbolic links
// show as such and are never followed; submodules do not show. It implements fs.ReadDirFS, fs.ReadFileFS, fs.StatFS and
// fs.ReadLinkFS, and holds until Close.
func (s *Snapshot) FS() fs.FS { return tree{s} }

// TreeHash is Git's hash of everything in a directory ("." is the root), or of a file's contents. It changes exactly
// when a name, a mode or a byte below it does.
func (s *Snapshot) TreeHash(path string) (string, error) {
	n, err := s.lookup("hash", path)
	if err != nil {
		return "", err
	}
	return n.hash.String(), nil
}

// Close lets the mirror go. Files of the snapshot must not be read any more.
func (s *Snapshot) Close() error {
	var err error
	s.closed.Do(func() { err = s.store.unpin() })
	return err
}

const (
	// maxPath bounds the length of a path and so the depth of directories.
	maxPath = 4096
	// rootMode is the mode of the tree itself.
	rootMode = fs.ModeDir | 0o555
)

// lookup walks from the root to a path. No text of a path reaches the file system: each part is found in a tree or is
// not there.
func (s *Snapshot) lookup(op, path string) (node, error) {
	if !fs.ValidPath(path) || len(path) > maxPath {
		return node{}, &fs.PathError{Op: op, Path: oneLine(path, nil), Err: fs.ErrInvalid}
	}
	at := node{name: ".", mode: rootMode, hash: s.root}
	if path == "." {
		return at, nil
	}
	walked := ""
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case at.mode&fs.ModeSymlink != 0:
			return node{}, &fs.PathError{Op: op, Path: walked, Err: ErrSymlink}
		case !at.mode.IsDir():
			return node{}, &fs.PathError{Op: op, Path: path, Err: fs.ErrNotExist}
		}
		d, err := s.directory(at.hash)
		if err != nil {
			return node{}, &fs.PathError{Op: op, Path: path, Err: err}
		}
		next, ok := d.find(part)
		if !ok {
			return node{}, &fs.PathError{Op: op, Path: path, Err: fs.ErrNotExist}
		}
		at = next
		walked = strings.TrimPrefix(walked+"/"+part, "/")
	}
	return at, nil
}

// directory decodes a tree, or finds it decoded.
func (s *Snapshot) directory(hash plumbing.Hash) (directory, error) {
	key := directoryKey{mirror: s.key, hash: hash}
	if d, ok := s.dirs.get(key); ok {
		return d, nil
	}
	data, err := s.store.read(plumbing.TreeObject, hash, maxTreeBytes)
	if err != nil {
		return nil, err
	}
	d, err := decodeTree(data)
	if err != nil {
		return nil, err
	}
	s.dirs.put(key, d)
	return d, nil
}

// list gives a directory's entries and counts them once per path.
func (s *Snapshot) list(path string, hash plumbing.Hash) (directory, error) {
	d, err := s.directory(hash)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.seen[path]; ok {
		return d, nil
	}
	if s.entries+len(d) > s.opts.MaxEntries {
		return nil, fmt.Errorf("the commit has more than %d files and directories: %w", s.opts.MaxEntries, ErrTooLarge)
	}
	s.seen[path] = struct{}{}
	s.entries += len(d) + 1
	return d, nil
}

// content reads a file, or refuses a symbolic link and a file above the limit.
func (s *Snapshot) content(n node) ([]byte, error) {
	if n.mode&fs.ModeSymlink != 0 {
		return nil, ErrSymlink
	}
	return s.store.read(plumbing.BlobObject, n.hash, s.opts.MaxFileBytes)
}
