package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sync"
)

// Tree is a repository at one commit.
type Tree interface {
	fs.FS
	// TreeHash names the content of a directory: equal hashes mean equal files
	// below it. For a file it may answer with the hash of its content or with an
	// error; Load then reads the file. A path that does not exist is fs.ErrNotExist.
	TreeHash(path string) (string, error)
}

// Bounds on what is read from a repository.
const (
	maxFileBytes    = 8 << 20
	maxOptionsBytes = 1 << 20
	maxBundleBytes  = 64 << 20
	maxBundleFiles  = 20_000
	maxDepth        = 64
)

var (
	errTooLarge  = errors.New("file is too large")
	errTooDeep   = fmt.Errorf("more than %d directories deep", maxDepth)
	errIrregular = errors.New("neither a file nor a directory")
)

// NewTree makes a Tree of a file system and a function that hashes its paths. It
// keeps the file system's own ReadDir, Lstat and ReadFile, which embedding would hide.
func NewTree(fsys fs.FS, hash func(path string) (string, error)) Tree {
	return hashedTree{FS: fsys, hash: hash}
}

type hashedTree struct {
	fs.FS
	hash func(string) (string, error)
}

func (t hashedTree) TreeHash(name string) (string, error)       { return t.hash(name) }
func (t hashedTree) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(t.FS, name) }
func (t hashedTree) ReadFile(name string) ([]byte, error)       { return fs.ReadFile(t.FS, name) }
func (t hashedTree) Lstat(name string) (fs.FileInfo, error)     { return fs.Lstat(t.FS, name) }
func (t hashedTree) ReadLink(name string) (string, error)       { return fs.ReadLink(t.FS, name) }
func (t hashedTree) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(t.FS, name) }

// DirTree makes a Tree of a directory that is not a Git repository. Hashes are
// computed from the files' content, once per path.
func DirTree(fsys fs.FS) Tree {
	return &dirTree{FS: fsys, hashes: map[string]string{}}
}

type dirTree struct {
	fs.FS
	mu     sync.Mutex // guards hashes
	hashes map[string]string
}

var _ Tree = (*dirTree)(nil)

// ReadDir, Lstat and ReadLink pass on what the wrapped file system can do.
func (t *dirTree) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(t.FS, name) }

// Lstat does not follow a link in the last element.
func (t *dirTree) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(t.FS, name) }

// ReadLink is there because fs.ReadLinkFS wants it beside Lstat.
func (t *dirTree) ReadLink(name string) (string, error) { return fs.ReadLink(t.FS, name) }

// TreeHash hashes a file's content or a directory's entries, as Git does in spirit.
func (t *dirTree) TreeHash(name string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hashLocked(name, 0)
}

func (t *dirTree) hashLocked(name string, depth int) (string, error) {
	if h, ok := t.hashes[name]; ok {
		return h, nil
	}
	if depth > maxDepth {
		return "", fmt.Errorf("hash %s: %w", name, errTooDeep)
	}
	info, err := fs.Lstat(t.FS, name)
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", name, err)
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return "", fmt.Errorf("hash %s: %w", name, errIrregular)
	}
	if !info.IsDir() {
		return t.remember(name, func(w io.Writer) error { return copyFile(w, t.FS, name) })
	}
	return t.remember(name, func(w io.Writer) error { return t.hashEntries(w, name, depth) })
}

func (t *dirTree) hashEntries(w io.Writer, name string, depth int) error {
	entries, err := fs.ReadDir(t.FS, name)
	if err != nil {
		return fmt.Errorf("hash %s: %w", name, err)
	}
	for _, e := range entries {
		// Nothing hidden is ever read but this; .git alone may be larger than all else.
		if isHidden(e.Name()) && e.Name() != ignoreFile {
			continue
		}
		h, err := t.entryLocked(e, path.Join(name, e.Name()), depth)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s %q %s\n", e.Type(), e.Name(), h)
	}
	return nil
}

// entryLocked hashes an entry. One that may not be read is the fault of its
// bundle, which says so when it reads the file, and not of the whole tree.
func (t *dirTree) entryLocked(e fs.DirEntry, name string, depth int) (string, error) {
	if !e.IsDir() && !e.Type().IsRegular() {
		return "irregular", nil
	}
	h, err := t.hashLocked(name, depth+1)
	if errors.Is(err, fs.ErrPermission) {
		return "unreadable", nil
	}
	return h, err
}

func (t *dirTree) remember(name string, write func(io.Writer) error) (string, error) {
	sum := sha256.New()
	if err := write(sum); err != nil {
		return "", err
	}
	h := hex.EncodeToString(sum.Sum(nil))
	t.hashes[name] = h
	return h, nil
}

func copyFile(w io.Writer, fsys fs.FS, name string) error {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("hash %s: %w", name, err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("hash %s: %w", name, err)
	}
	return nil
}

// readFile reads at most limit bytes; a larger file is an error, never a cut one.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	tooLarge := fmt.Errorf("read %s: %w (more than %d bytes)", name, errTooLarge, limit)
	var buf bytes.Buffer
	// Its size, where it is known, saves a large file from being read, and others from being copied.
	if info, err := f.Stat(); err == nil {
		if info.Size() > limit {
			return nil, tooLarge
		}
		buf.Grow(int(info.Size()) + bytes.MinRead)
	}
	n, err := io.Copy(&buf, io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if n > limit {
		return nil, tooLarge
	}
	return buf.Bytes(), nil
}

// lookup finds a path element by element and follows no link. It answers nil, nil
// where there is nothing or a link.
func lookup(fsys fs.FS, name string) (fs.FileInfo, error) {
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		info, err := fs.Lstat(fsys, name[:i])
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", name[:i], err)
		}
		if i == len(name) && (info.IsDir() || info.Mode().IsRegular()) {
			return info, nil
		}
		if !info.IsDir() {
			return nil, nil
		}
	}
	return nil, nil
}

// contentHash names a file's content by the tree's own hash or, where the tree
// does not know files, by reading it.
func contentHash(t Tree, name string) (string, error) {
	h, err := t.TreeHash(name)
	if err == nil && h != "" || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errIrregular) {
		return h, err
	}
	data, err := readFile(t, name, maxFileBytes)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
