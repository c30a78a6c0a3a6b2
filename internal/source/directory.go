package source

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// node is one name in a directory: what it is and which object holds it.
type node struct {
	name string
	mode fs.FileMode
	hash plumbing.Hash
}

// directory is a decoded Git tree, sorted by name. Submodules are not in it: their files are in another repository.
type directory []node

func (d directory) find(name string) (node, bool) {
	i, ok := slices.BinarySearchFunc(d, name, func(n node, name string) int { return strings.Compare(n.name, name) })
	if !ok {
		return node{}, false
	}
	return d[i], true
}

// decodeTree reads a tree object: "<octal mode> <name>\0<20 bytes of id>", repeated. Git allows names here that no
// checkout would; they make the directory an error instead of being passed on.
func decodeTree(data []byte) (directory, error) {
	var d directory
	for len(data) > 0 {
		mode, rest, ok := bytes.Cut(data, []byte(" "))
		name, rest, found := bytes.Cut(rest, []byte{0})
		if !ok || !found || len(rest) < len(plumbing.ZeroHash) {
			return nil, fmt.Errorf("tree object: %w", ErrCorrupt)
		}
		n := node{name: string(name), hash: plumbing.Hash(rest[:len(plumbing.ZeroHash)])}
		data = rest[len(n.hash):]
		if n.name == ".git" || !fs.ValidPath(n.name) || n.name == "." || strings.Contains(n.name, "/") {
			return nil, fmt.Errorf("entry %q is not a valid file name", n.name)
		}
		keep, err := n.setMode(string(mode))
		if err != nil {
			return nil, err
		}
		if keep {
			d = append(d, n)
		}
	}
	slices.SortFunc(d, func(a, b node) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(d); i++ {
		if d[i].name == d[i-1].name {
			return nil, fmt.Errorf("entry %q appears twice", d[i].name)
		}
	}
	return d, nil
}

// setMode translates Git's mode; false means a submodule.
func (n *node) setMode(text string) (keep bool, err error) {
	mode, err := filemode.New(text)
	if err != nil {
		return false, fmt.Errorf("entry %q has mode %q", n.name, text)
	}
	switch mode {
	case filemode.Dir:
		n.mode = fs.ModeDir | 0o555
	case filemode.Regular, filemode.Deprecated:
		n.mode = 0o444
	case filemode.Executable:
		n.mode = 0o555
	case filemode.Symlink:
		n.mode = fs.ModeSymlink | 0o444
	case filemode.Submodule:
		return false, nil
	default:
		return false, fmt.Errorf("entry %q has mode %q", n.name, text)
	}
	return true, nil
}

// directories keeps decoded trees, so that a commit that touches one of 5,000 directories costs the reading of that
// one. It is shared by the snapshots of a mirror, never across mirrors: who cannot read a repository shall not read
// its file names by naming a tree.
type directories struct {
	mu    sync.Mutex // guards the fields below
	known map[directoryKey]directory
	names int
}

type directoryKey struct {
	mirror string
	hash   plumbing.Hash
}

// maxKeptNames bounds the entries kept in all, some 30 MiB. Beyond it everything is forgotten: simple, and right.
const maxKeptNames = 300_000

func newDirectories() *directories {
	return &directories{known: make(map[directoryKey]directory)}
}

func (c *directories) get(key directoryKey) (directory, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.known[key]
	return d, ok
}

func (c *directories) put(key directoryKey, d directory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names > maxKeptNames {
		clear(c.known)
		c.names = 0
	}
	c.known[key] = d
	c.names += len(d) + 1
}
