package source

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// mirrorPrefix starts the directories of whole mirrors: m-<key>-<sequence>.
	mirrorPrefix = "m-"
	// tmpName holds whatever is not whole yet; it is emptied at start.
	tmpName = "tmp"
	// maxMirrors bounds the repositories known at one time.
	maxMirrors = 10_000
)

// Mirrors keeps the mirrors of all repositories under one directory. It may be used by many goroutines.
type Mirrors struct {
	dir  string
	opts Options
	salt []byte
	lock *os.File
	disk *disk
	dirs *directories
	base context.Context
	stop context.CancelFunc

	mu       sync.Mutex // guards the fields below
	mirrors  map[string]*mirror
	sequence int64
}

// NewMirrors takes over a directory: leftovers of interrupted work are removed, whole mirrors are used again. The
// directory belongs to one process at a time; Close gives it back.
func NewMirrors(dir string, opts Options) (*Mirrors, error) {
	opts = opts.withDefaults()
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("use mirror directory %s: %w", dir, err)
	}
	base, stop := context.WithCancel(context.Background())
	m := &Mirrors{
		dir: dir, opts: opts, lock: lock, base: base, stop: stop,
		dirs: newDirectories(), mirrors: make(map[string]*mirror),
	}
	m.disk = &disk{limit: opts.MaxDiskBytes, evict: m.evict}
	if err := m.takeOver(); err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("use mirror directory %s: %w", dir, err), lock.Close())
	}
	return m, nil
}

// lockDir makes sure that no second process sweeps a directory in use. The lock ends with the process.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another process uses it: %w", err), f.Close())
	}
	return f, nil
}

func (m *Mirrors) takeOver() error {
	if err := os.RemoveAll(m.tmp()); err != nil {
		return err
	}
	if err := os.Mkdir(m.tmp(), 0o700); err != nil {
		return err
	}
	salt, err := loadSalt(filepath.Join(m.dir, "salt"))
	if err != nil {
		return err
	}
	m.salt = salt
	return m.adopt()
}

// loadSalt makes directory names useless for guessing passwords, and stable over restarts.
func loadSalt(path string) ([]byte, error) {
	salt, err := os.ReadFile(path)
	if err == nil && len(salt) == sha256.Size {
		return salt, nil
	}
	salt = make([]byte, sha256.Size)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	return salt, os.WriteFile(path, salt, 0o600)
}

// adopt finds the newest mirror of each key and removes the rest.
func (m *Mirrors) adopt() error {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return err
	}
	var found []string
	for _, entry := range entries {
		if _, _, ok := parseMirrorName(entry.Name()); ok {
			found = append(found, entry.Name())
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		_, x, _ := parseMirrorName(a)
		_, y, _ := parseMirrorName(b)
		return cmp.Compare(y, x)
	})
	for _, name := range found {
		if err := m.adoptOne(name); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirrors) adoptOne(name string) error {
	key, sequence, _ := parseMirrorName(name)
	dir := filepath.Join(m.dir, name)
	m.sequence = max(m.sequence, sequence)
	if _, newer := m.mirrors[key]; newer {
		return os.RemoveAll(dir)
	}
	s, err := openStore(dir, m.disk)
	if err != nil {
		// What cannot be opened is a cache entry like any other: gone, and fetched again when it is wanted.
		return os.RemoveAll(dir)
	}
	m.mirrors[key] = newMirror(m, key, s)
	return nil
}

func parseMirrorName(name string) (key string, sequence int64, ok bool) {
	rest, ok := strings.CutPrefix(name, mirrorPrefix)
	if !ok {
		return "", 0, false
	}
	key, number, ok := strings.Cut(rest, "-")
	sequence, err := strconv.ParseInt(number, 10, 62)
	return key, sequence, ok && err == nil
}

func (m *Mirrors) tmp() string { return filepath.Join(m.dir, tmpName) }

// nextDir names the directory of a new whole mirror.
func (m *Mirrors) nextDir(key string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sequence++
	return filepath.Join(m.dir, fmt.Sprintf("%s%s-%d", mirrorPrefix, key, m.sequence))
}

// Close gives the directory back. Snapshots that are still open must not be used any more.
func (m *Mirrors) Close() error {
	m.stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mirror := range m.mirrors {
		if w := mirror.wire.Load(); w != nil {
			(*w).close()
		}
	}
	return m.lock.Close()
}

// DiskBytes tells how many bytes all mirrors take.
func (m *Mirrors) DiskBytes() int64 { return m.disk.bytes() }

// Resolve tells which commit a ref means now. It only lists refs, and calls that arrive together share one listing per
// repository and credentials.
func (m *Mirrors) Resolve(ctx context.Context, remote Remote, ref Ref) (commit string, err error) {
	mirror, err := m.mirror(remote)
	if err != nil {
		return "", err
	}
	return mirror.resolve(ctx, ref)
}

// Snapshot gives the files of a commit, normally one that Resolve named for the same ref. It fetches only if the mirror
// lacks the commit. Close the snapshot when done.
func (m *Mirrors) Snapshot(ctx context.Context, remote Remote, ref Ref, commit string) (*Snapshot, error) {
	if !isCommitID(commit) {
		return nil, &Error{Op: "fetch", URL: Redact(remote.URL), Kind: ErrRefNotFound, Detail: "commit id is not 40 hexadecimal characters"}
	}
	mirror, err := m.hold(ctx, remote)
	if err != nil {
		return nil, err
	}
	defer mirror.release()
	return mirror.snapshot(ctx, ref, commit)
}

// hold gets a mirror for one caller alone.
func (m *Mirrors) hold(ctx context.Context, remote Remote) (*mirror, error) {
	for {
		mirror, err := m.mirror(remote)
		if err != nil {
			return nil, err
		}
		if err := mirror.acquire(ctx); err != nil {
			return nil, mirror.address.fail(ctx, "wait for the mirror of", err)
		}
		if !mirror.dropped {
			return mirror, nil
		}
		mirror.release()
	}
}

// mirror finds or makes the mirror of a remote.
func (m *Mirrors) mirror(remote Remote) (*mirror, error) {
	key := m.key(remote)
	m.mu.Lock()
	known := m.mirrors[key]
	full := known == nil && len(m.mirrors) >= maxMirrors
	m.mu.Unlock()
	if full {
		m.drop(false)
	}
	if known != nil && known.wire.Load() != nil {
		return known, nil
	}
	address, err := parseAddress(remote)
	if err != nil {
		return nil, err
	}
	wire, err := newWire(remote, address, m.opts, m.tmp())
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mirrors[key] == nil {
		m.mirrors[key] = newMirror(m, key, nil)
	}
	m.mirrors[key].connect(address, wire)
	return m.mirrors[key], nil
}

// key tells remotes apart by everything that decides what a server shows.
func (m *Mirrors) key(r Remote) string {
	mac := hmac.New(sha256.New, m.salt)
	for _, part := range [][]byte{
		[]byte(r.URL), []byte(r.Auth.Username), []byte(r.Auth.Password), r.Auth.SSHPrivateKey, r.Auth.SSHKnownHosts,
		r.CABundle, []byte(strconv.FormatBool(r.InsecureSkipTLSVerify)),
	} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		// A hash never fails to take bytes.
		_, _ = mac.Write(append(size[:], part...))
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// evict frees the disk space of the mirror that was used longest ago.
func (m *Mirrors) evict() bool { return m.drop(true) }

// drop forgets the mirror that was used longest ago and that nobody uses, on request only one that takes disk space.
func (m *Mirrors) drop(onDisk bool) bool {
	m.mu.Lock()
	all := make([]*mirror, 0, len(m.mirrors))
	for _, mirror := range m.mirrors {
		all = append(all, mirror)
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b *mirror) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, mirror := range all {
		if mirror.discard(onDisk) {
			m.mu.Lock()
			if m.mirrors[mirror.key] == mirror {
				delete(m.mirrors, mirror.key)
			}
			m.mu.Unlock()
			return true
		}
	}
	return false
}

// tick orders uses of mirrors.
func (m *Mirrors) tick() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sequence++
	return m.sequence
}
