package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
)

const (
	// objectCache is what go-git may keep of recently read objects, per store that is in use.
	objectCache = 8 * cache.MiByte
	packDir     = "objects/pack"
	// markers holds one file per commit that was fetched whole; they are refs, so that git fsck agrees with us.
	markers = "refs/muster"
)

// store is one bare repository on disk. Packs are only ever added to it, so a snapshot stays readable while newer
// commits arrive; it goes away as a whole.
type store struct {
	dir  string
	disk *disk

	mu      sync.Mutex // guards the fields below; a pack may not be read by two at once
	shelf   shelf
	commits []plumbing.Hash
	shallow []plumbing.Hash
	packs   int
	bytes   int64
	pins    int
	retired bool
	broken  bool
}

func newStore(dir string, d *disk) *store {
	s := &store{dir: dir, disk: d}
	s.shelf.dir = filepath.Join(dir, packDir)
	return s
}

// move tells a store, whose lock is held, that its directory has another name now.
func (s *store) move(dir string) {
	s.dir = dir
	s.shelf.move(filepath.Join(dir, packDir))
}

// createStore lays out an empty bare repository.
func createStore(dir string, d *disk) (*store, error) {
	for _, sub := range []string{packDir, "refs/heads", markers} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{
		"HEAD":   "ref: refs/heads/none\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return newStore(dir, d), nil
}

// openStore takes over what an earlier process left. Its packs are checked when they are read.
func openStore(dir string, d *disk) (*store, error) {
	s := newStore(dir, d)
	names, err := os.ReadDir(filepath.Join(dir, markers))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if isCommitID(name.Name()) {
			s.commits = append(s.commits, plumbing.NewHash(name.Name()))
		}
	}
	files, err := os.ReadDir(filepath.Join(dir, packDir))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			return nil, err
		}
		s.bytes += info.Size()
		if strings.HasSuffix(file.Name(), ".idx") {
			s.packs++
		}
	}
	if s.shallow, err = readShallow(filepath.Join(dir, "shallow")); err != nil {
		return nil, err
	}
	d.add(s.bytes)
	return s, nil
}

func readShallow(path string) ([]plumbing.Hash, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var hashes []plumbing.Hash
	for _, line := range strings.Fields(string(data)) {
		if !isCommitID(line) {
			return nil, fmt.Errorf("shallow file: %w", ErrCorrupt)
		}
		hashes = append(hashes, plumbing.NewHash(line))
	}
	return hashes, nil
}

// has tells whether a commit was fetched whole and can be read.
func (s *store) has(commit plumbing.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.broken && slices.Contains(s.commits, commit)
}

// known gives what a fetch tells the server: commits that are here, and where history was cut.
func (s *store) known() (haves, shallow []plumbing.Hash) {
	const most = 8
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commits[max(0, len(s.commits)-most):]), slices.Clone(s.shallow)
}

// addPack moves a spooled pack and its index in; the index last, because a pack without one is not seen.
func (s *store) addPack(p *spool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.shelf.load(); err != nil {
		return err
	}
	base := filepath.Join(s.shelf.dir, "pack-"+p.sum.String())
	if err := os.Rename(p.file.Name(), base+".pack"); err != nil {
		return err
	}
	if err := os.Rename(p.idx, base+".idx"); err != nil {
		return err
	}
	s.shelf.add(base+".pack", p.index)
	s.packs++
	s.bytes += p.meter.taken
	return nil
}

// complete records a commit as fetched whole, after a look at its root.
func (s *store) complete(commit plumbing.Hash, shallow, unshallow []plumbing.Hash) error {
	root, err := s.root(commit)
	if err != nil {
		return err
	}
	if _, err := s.read(plumbing.TreeObject, root, maxTreeBytes); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cutLocked(shallow, unshallow); err != nil {
		return err
	}
	marker := filepath.Join(s.dir, markers, commit.String())
	if err := replaceFile(marker, commit.String()+"\n"); err != nil {
		return err
	}
	s.commits = append(s.commits, commit)
	return nil
}

func (s *store) cutLocked(shallow, unshallow []plumbing.Hash) error {
	kept := slices.DeleteFunc(append(s.shallow, shallow...), func(h plumbing.Hash) bool { return slices.Contains(unshallow, h) })
	plumbing.HashesSort(kept)
	s.shallow = slices.Compact(kept)
	var text strings.Builder
	for _, h := range s.shallow {
		text.WriteString(h.String() + "\n")
	}
	return replaceFile(filepath.Join(s.dir, "shallow"), text.String())
}

// replaceFile writes beside and renames, so that a crash leaves the old or the new text.
func replaceFile(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// maxTreeBytes bounds one directory, about 200,000 entries; maxCommitBytes a commit with its message.
const (
	maxTreeBytes   = 8 << 20
	maxCommitBytes = 1 << 20
)

// root reads a commit's tree id.
func (s *store) root(commit plumbing.Hash) (plumbing.Hash, error) {
	c, err := s.commit(commit)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return c.TreeHash, nil
}

func (s *store) commit(hash plumbing.Hash) (*object.Commit, error) {
	data, err := s.read(plumbing.CommitObject, hash, maxCommitBytes)
	if err != nil {
		return nil, err
	}
	c := &object.Commit{}
	if err := c.Decode(memoryObject(plumbing.CommitObject, data)); err != nil {
		return nil, s.damaged(hash, err)
	}
	return c, nil
}

func memoryObject(kind plumbing.ObjectType, data []byte) *plumbing.MemoryObject {
	o := &plumbing.MemoryObject{}
	o.SetType(kind)
	o.SetSize(int64(len(data)))
	// Writing to memory cannot fail.
	_, _ = o.Write(data)
	return o
}

// size tells an object's length without keeping it.
func (s *store) size(hash plumbing.Hash) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.shelf.size(hash)
	if err != nil {
		return 0, s.damagedLocked(hash, err)
	}
	return n, nil
}

// read gives an object's bytes, refusing more than limit before it unpacks them.
func (s *store) read(kind plumbing.ObjectType, hash plumbing.Hash, limit int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.shelf.size(hash)
	if err != nil {
		return nil, s.damagedLocked(hash, err)
	}
	if n > limit {
		return nil, fmt.Errorf("%d bytes, limit is %d: %w", n, limit, ErrTooLarge)
	}
	data, err := s.shelf.contents(kind, hash, n)
	if err != nil {
		return nil, s.damagedLocked(hash, err)
	}
	return data, nil
}

// readAny gives an object of any kind, or InvalidObject if it is not here.
func (s *store) readAny(hash plumbing.Hash, limit int64) (plumbing.ObjectType, []byte, error) {
	s.mu.Lock()
	n, err := s.shelf.size(hash)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		s.mu.Unlock()
		return plumbing.InvalidObject, nil, nil
	}
	var o plumbing.EncodedObject
	if err == nil && n <= limit {
		o, err = s.shelf.object(hash)
	}
	s.mu.Unlock()
	switch {
	case err != nil:
		return plumbing.InvalidObject, nil, s.damaged(hash, err)
	case o == nil:
		return plumbing.InvalidObject, nil, fmt.Errorf("%d bytes, limit is %d: %w", n, limit, ErrTooLarge)
	}
	data, err := s.read(o.Type(), hash, limit)
	return o.Type(), data, err
}

func (s *store) damaged(hash plumbing.Hash, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damagedLocked(hash, err)
}

// damagedLocked marks the store as one to throw away: whatever a healthy mirror of a commit lists can be read.
func (s *store) damagedLocked(hash plumbing.Hash, err error) error {
	s.broken = true
	return fmt.Errorf("read object %s: %w: %s", hash, ErrCorrupt, oneLine(err.Error(), nil))
}

// pin keeps the store on disk until unpin.
func (s *store) pin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins++
}

func (s *store) unpin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins--
	if s.pins > 0 {
		return nil
	}
	err := s.shelf.close()
	if s.retired {
		return errors.Join(err, s.removeLocked())
	}
	return err
}

// retire removes the store from disk, now or when the last snapshot of it is closed.
func (s *store) retire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = true
	if s.pins > 0 {
		return nil
	}
	return errors.Join(s.shelf.close(), s.removeLocked())
}

func (s *store) removeLocked() error {
	s.disk.give(s.bytes)
	s.bytes = 0
	return os.RemoveAll(s.dir)
}

// idle tells whether no snapshot is open.
func (s *store) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pins == 0
}

// worn tells whether it is time to clone anew: packs and old commits are never removed one by one.
func (s *store) worn(maxPacks int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken || s.packs >= maxPacks
}
