package source

import (
	"bytes"
	"io"
	"io/fs"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// tree is a snapshot's fs.FS.
type tree struct{ snapshot *Snapshot }

var (
	_ fs.ReadDirFS  = tree{}
	_ fs.ReadFileFS = tree{}
	_ fs.StatFS     = tree{}
	_ fs.ReadLinkFS = tree{}
)

// Open implements fs.FS. Opening a symbolic link is an error.
func (t tree) Open(path string) (fs.File, error) {
	n, err := t.snapshot.lookup("open", path)
	if err != nil {
		return nil, err
	}
	if n.mode.IsDir() {
		return &openDirectory{tree: t, node: n, path: path}, nil
	}
	data, err := t.snapshot.content(n)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return &openFile{Reader: bytes.NewReader(data), info: info{node: n, size: int64(len(data))}}, nil
}

// ReadFile implements fs.ReadFileFS.
func (t tree) ReadFile(path string) ([]byte, error) {
	n, err := t.snapshot.lookup("read", path)
	if err != nil {
		return nil, err
	}
	if n.mode.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errIsDirectory}
	}
	data, err := t.snapshot.content(n)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return data, nil
}

// ReadDir implements fs.ReadDirFS, sorted by name.
func (t tree) ReadDir(path string) ([]fs.DirEntry, error) {
	n, err := t.snapshot.lookup("readdir", path)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: path, Err: errNotDirectory}
	}
	d, err := t.snapshot.list(path, n.hash)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: path, Err: err}
	}
	entries := make([]fs.DirEntry, len(d))
	for i, n := range d {
		entries[i] = dirEntry{tree: t, node: n}
	}
	return entries, nil
}

// Stat implements fs.StatFS. It describes a symbolic link itself.
func (t tree) Stat(path string) (fs.FileInfo, error) {
	n, err := t.snapshot.lookup("stat", path)
	if err != nil {
		return nil, err
	}
	return t.describe(n, path)
}

// Lstat implements fs.ReadLinkFS; nothing is ever followed, so it is Stat.
func (t tree) Lstat(path string) (fs.FileInfo, error) { return t.Stat(path) }

// maxLink bounds a symbolic link's target.
const maxLink = 4096

// ReadLink implements fs.ReadLinkFS: it tells where a link points, for messages.
func (t tree) ReadLink(path string) (string, error) {
	n, err := t.snapshot.lookup("readlink", path)
	if err != nil {
		return "", err
	}
	if n.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: path, Err: fs.ErrInvalid}
	}
	target, err := t.snapshot.store.read(plumbing.BlobObject, n.hash, maxLink)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: path, Err: err}
	}
	return string(target), nil
}

func (t tree) describe(n node, path string) (fs.FileInfo, error) {
	if n.mode.IsDir() {
		return info{node: n}, nil
	}
	size, err := t.snapshot.store.size(n.hash)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return info{node: n, size: size}, nil
}

type pathProblem string

// Error implements error.
func (p pathProblem) Error() string { return string(p) }

const (
	errIsDirectory  = pathProblem("is a directory")
	errNotDirectory = pathProblem("not a directory")
)

// info describes a file or directory. Git keeps no times, so there are none.
type info struct {
	node node
	size int64
}

// Name implements fs.FileInfo.
func (i info) Name() string { return i.node.name }

// Size implements fs.FileInfo.
func (i info) Size() int64 { return i.size }

// Mode implements fs.FileInfo.
func (i info) Mode() fs.FileMode { return i.node.mode }

// ModTime implements fs.FileInfo.
func (i info) ModTime() time.Time { return time.Time{} }

// IsDir implements fs.FileInfo.
func (i info) IsDir() bool { return i.node.mode.IsDir() }

// Sys implements fs.FileInfo.
func (i info) Sys() any { return nil }

// dirEntry describes its file only when it is asked to.
type dirEntry struct {
	tree tree
	node node
}

// Name implements fs.DirEntry.
func (e dirEntry) Name() string { return e.node.name }

// IsDir implements fs.DirEntry.
func (e dirEntry) IsDir() bool { return e.node.mode.IsDir() }

// Type implements fs.DirEntry.
func (e dirEntry) Type() fs.FileMode { return e.node.mode.Type() }

// Info implements fs.DirEntry.
func (e dirEntry) Info() (fs.FileInfo, error) { return e.tree.describe(e.node, e.node.name) }

// String is what fs.FormatDirEntry prints.
func (e dirEntry) String() string { return fs.FormatDirEntry(e) }

type openFile struct {
	*bytes.Reader
	info info
}

// Stat implements fs.File.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *openFile) Close() error { return nil }

type openDirectory struct {
	tree tree
	node node
	path string
	rest []fs.DirEntry
	read bool
}

var _ fs.ReadDirFile = (*openDirectory)(nil)

// Stat implements fs.File.
func (d *openDirectory) Stat() (fs.FileInfo, error) { return info{node: d.node}, nil }

// Read implements fs.File.
func (d *openDirectory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errIsDirectory}
}

// Close implements fs.File.
func (d *openDirectory) Close() error { return nil }

// ReadDir implements fs.ReadDirFile.
func (d *openDirectory) ReadDir(count int) ([]fs.DirEntry, error) {
	if !d.read {
		entries, err := d.tree.ReadDir(d.path)
		if err != nil {
			return nil, err
		}
		d.rest, d.read = entries, true
	}
	if count <= 0 {
		count = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	count = min(count, len(d.rest))
	part := d.rest[:count:count]
	d.rest = d.rest[count:]
	return part, nil
}
