package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// shelf finds objects in a directory of packs. go-git's storage would read every index again after each fetch, which
// cost more than the fetch; here an index is read once and kept, and only files are closed when nobody reads.
type shelf struct {
	dir    string
	loaded bool
	packs  []*shelved
	cache  cache.Object
}

// shelved is one pack with its index.
type shelved struct {
	path  string
	index *idxfile.MemoryIndex
	file  billy.File
	pack  *packfile.Packfile
}

// load reads the indexes that are there, once.
func (s *shelf) load() error {
	if s.loaded {
		return nil
	}
	s.packs = nil
	found, err := filepath.Glob(filepath.Join(s.dir, "pack-*.idx"))
	if err != nil {
		return err
	}
	for _, path := range found {
		index, err := readIndex(path)
		if err != nil {
			return err
		}
		s.add(strings.TrimSuffix(path, ".idx")+".pack", index)
	}
	s.loaded = true
	return nil
}

func readIndex(path string) (*idxfile.MemoryIndex, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	index := idxfile.NewMemoryIndex()
	if err := errors.Join(idxfile.NewDecoder(f).Decode(index), f.Close()); err != nil {
		return nil, fmt.Errorf("read pack index: %w", err)
	}
	if name := "pack-" + plumbing.Hash(index.PackfileChecksum).String() + ".idx"; name != filepath.Base(path) {
		return nil, fmt.Errorf("pack index %s is that of another pack", filepath.Base(path))
	}
	return index, nil
}

func (s *shelf) add(path string, index *idxfile.MemoryIndex) {
	s.packs = append(s.packs, &shelved{path: path, index: index})
}

// find gives the pack that holds an object, the newest first since that is where a new commit's objects are.
func (s *shelf) find(hash plumbing.Hash) (*packfile.Packfile, error) {
	if err := s.load(); err != nil {
		return nil, err
	}
	for _, p := range slices.Backward(s.packs) {
		if ok, err := p.index.Contains(hash); err != nil || !ok {
			continue
		}
		return s.open(p)
	}
	return nil, plumbing.ErrObjectNotFound
}

func (s *shelf) open(p *shelved) (*packfile.Packfile, error) {
	if p.pack != nil {
		return p.pack, nil
	}
	f, err := osfs.New(filepath.Dir(p.path)).Open(filepath.Base(p.path))
	if err != nil {
		return nil, err
	}
	if s.cache == nil {
		s.cache = cache.NewObjectLRU(objectCache)
	}
	p.file = f
	// Without a file system go-git gives objects in memory; their size is checked before.
	p.pack = packfile.NewPackfileWithCache(p.index, nil, f, s.cache, 0)
	return p.pack, nil
}

// close lets go of files and cached objects and keeps the indexes.
func (s *shelf) close() error {
	var errs []error
	for _, p := range s.packs {
		if p.file != nil {
			errs = append(errs, p.file.Close())
		}
		p.file, p.pack = nil, nil
	}
	s.cache = nil
	return errors.Join(errs...)
}

// move follows the directory to its new name.
func (s *shelf) move(dir string) {
	s.dir = dir
	for _, p := range s.packs {
		p.path = filepath.Join(dir, filepath.Base(p.path))
	}
}

// size tells an object's length without keeping the object.
func (s *shelf) size(hash plumbing.Hash) (size int64, err error) {
	defer caught(&err)
	pack, err := s.find(hash)
	if err != nil {
		return 0, err
	}
	offset, err := pack.FindOffset(hash)
	if err != nil {
		return 0, err
	}
	return pack.GetSizeByOffset(offset)
}

// object unpacks an object.
func (s *shelf) object(hash plumbing.Hash) (o plumbing.EncodedObject, err error) {
	defer caught(&err)
	pack, err := s.find(hash)
	if err != nil {
		return nil, err
	}
	return pack.Get(hash)
}

// contents gives the bytes of an object of a kind and a size.
func (s *shelf) contents(kind plumbing.ObjectType, hash plumbing.Hash, size int64) ([]byte, error) {
	o, err := s.object(hash)
	if err != nil {
		return nil, err
	}
	if o.Type() != kind {
		return nil, fmt.Errorf("object is a %s, not a %s", o.Type(), kind)
	}
	r, err := o.Reader()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.Grow(int(size) + bytes.MinRead)
	_, err = io.Copy(&buf, io.LimitReader(r, size+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if int64(buf.Len()) != size {
		return nil, fmt.Errorf("object has %d bytes instead of %d", buf.Len(), size)
	}
	return buf.Bytes(), nil
}

// caught makes an error of a panic: answers and packs come from strangers and from disks, and one repository's
// shall not end the hub.
func caught(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the data cannot be read: %v", r)
	}
}
