package charts

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// store keeps archives on disk by digest, below a directory for each credential they were fetched with: knowing a
// digest is not enough to be given an archive.
type store struct {
	dir               string
	limit, maxArchive int64
	now               func() time.Time

	mu     sync.Mutex // guards the fields below, and changes of files
	loaded bool
	files  map[string]*storedFile // by path below dir
	total  int64
}

type storedFile struct {
	size int64
	used time.Time
}

func newStore(dir string, limit, maxArchive int64, now func() time.Time) *store {
	return &store{dir: dir, limit: limit, maxArchive: maxArchive, now: now, files: map[string]*storedFile{}}
}

const archiveEnding = ".tgz"

func storedName(access, digest string) string {
	return filepath.Join(access, strings.TrimPrefix(digest, digestPrefix)+archiveEnding)
}

// get reads an archive. One that was changed is refused and left as it is, for whoever wants to know what happened;
// it is never fetched again behind the user's back.
func (s *store) get(access, digest string) ([]byte, bool, error) {
	if s.dir == "" {
		return nil, false, nil
	}
	name := storedName(access, digest)
	file, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, s.damaged(name, "cannot be opened: "+err.Error())
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, false, s.damaged(name, "is no regular file")
	}
	data, err := io.ReadAll(io.LimitReader(file, s.maxArchive+1))
	if err != nil {
		return nil, false, s.damaged(name, "cannot be read: "+err.Error())
	}
	if got := digestOf(data); got != digest {
		return nil, false, s.damaged(name, "is "+got+" now, stored was "+digest)
	}
	s.touch(name)
	return data, true, nil
}

func (s *store) damaged(name, detail string) error {
	return &Error{Op: "read cached chart", URL: name, Kind: ErrTampered, Detail: detail, Hint: "find out who changed it; once the file is deleted from the hub's chart cache it is fetched again"}
}

func (s *store) touch(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loadLocked()
	now := s.now()
	if file, ok := s.files[name]; ok {
		file.used = now
		s.stamp(name, now)
	}
}

// stamp notes a use for the next process. Only the order of eviction hangs on it, so that it fails is no error.
func (s *store) stamp(name string, now time.Time) {
	_ = os.Chtimes(filepath.Join(s.dir, name), now, now)
}

// put keeps an archive, making room by forgetting those used longest ago. A full disk is no error: the archive is
// fetched again when it is wanted.
func (s *store) put(access, digest string, data []byte) {
	size := int64(len(data))
	if s.dir == "" || size > s.limit {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loadLocked()
	name := storedName(access, digest)
	if _, ok := s.files[name]; ok {
		return
	}
	for s.total+size > s.limit && s.evictLocked() {
	}
	if err := writeWhole(filepath.Join(s.dir, name), data); err == nil {
		now := s.now()
		s.files[name] = &storedFile{size: size, used: now}
		s.total += size
		s.stamp(name, now)
	}
}

// evictLocked forgets the archive used longest ago.
func (s *store) evictLocked() bool {
	oldest := ""
	for name, file := range s.files {
		if oldest == "" || file.used.Before(s.files[oldest].used) {
			oldest = name
		}
	}
	if oldest == "" {
		return false
	}
	s.total -= s.files[oldest].size
	delete(s.files, oldest)
	err := os.Remove(filepath.Join(s.dir, oldest))
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// loadLocked counts what an earlier process left, and clears what it was writing.
func (s *store) loadLocked() {
	if s.loaded {
		return
	}
	s.loaded = true
	// What cannot be listed is not counted; it is found by its name all the same.
	_ = filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if !strings.HasSuffix(path, archiveEnding) {
			return os.Remove(path)
		}
		info, err := entry.Info()
		name, relErr := filepath.Rel(s.dir, path)
		if err == nil && relErr == nil {
			s.files[name] = &storedFile{size: info.Size(), used: info.ModTime()}
			s.total += info.Size()
		}
		return nil
	})
}

// writeWhole writes a file so that it is there whole or not at all.
func writeWhole(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "writing-*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		// The first error is the one to tell.
		_ = os.Remove(file.Name())
	}
	return err
}
