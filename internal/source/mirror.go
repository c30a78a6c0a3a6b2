package source

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// wire carries Git conversations to one repository.
type wire interface {
	// session starts a conversation with an endpoint, which it may correct as the server redirects.
	session(ctx context.Context, ep *transport.Endpoint) (transport.UploadPackSession, error)
	// close lets go of idle connections.
	close()
}

func newWire(r Remote, a address, o Options, tmp string) (wire, error) {
	if a.endpoint.Protocol == "ssh" {
		return newSSHWire(a, o, tmp)
	}
	return newHTTPWire(r, a, o)
}

// mirror is one repository as one set of credentials sees it.
type mirror struct {
	key     string
	owner   *Mirrors
	address address
	wire    atomic.Pointer[wire]
	// listings shares listings of refs; latest is the newest answer.
	listings flights[*listing]
	latest   atomic.Pointer[listing]
	// used orders mirrors by their last use.
	used atomic.Int64

	// busy holds one token; who has it may touch the fields below. A channel, so that waiting ends with a context.
	busy    chan struct{}
	store   *store
	dropped bool
}

func newMirror(owner *Mirrors, key string, s *store) *mirror {
	m := &mirror{key: key, owner: owner, busy: make(chan struct{}, 1), store: s}
	m.listings.work = m.list
	return m
}

// connect gives a mirror its connection, once; an adopted mirror starts without. The owner's lock is held.
func (m *mirror) connect(a address, w wire) {
	if m.wire.Load() == nil {
		m.address = a
		m.wire.Store(&w)
	}
}

func (m *mirror) acquire(ctx context.Context) error {
	select {
	case m.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *mirror) release() { <-m.busy }

// discard forgets a mirror that nobody uses. It never waits.
func (m *mirror) discard(onDisk bool) bool {
	select {
	case m.busy <- struct{}{}:
		defer m.release()
	default:
		return false
	}
	if m.dropped || (m.store == nil && onDisk) || (m.store != nil && !m.store.idle()) {
		return false
	}
	m.dropped = true
	if m.store != nil {
		// A directory that cannot be removed now is swept at the next start.
		_ = m.store.retire()
		m.store = nil
	}
	return true
}

// list asks the server for its refs, with a deadline of its own because several callers wait.
func (m *mirror) list() (l *listing, err error) {
	defer caught(&err)
	ctx, cancel := context.WithTimeout(m.owner.base, m.owner.opts.ListTimeout)
	defer cancel()
	l = &listing{endpoint: m.address.endpoint}
	session, err := (*m.wire.Load()).session(ctx, &l.endpoint)
	if err != nil {
		return nil, m.address.fail(ctx, "connect to", err)
	}
	// The answer is complete or an error; a failure to say goodbye changes neither.
	defer func() { _ = session.Close() }()
	if l.refs, err = session.AdvertisedReferencesContext(ctx); err != nil {
		return nil, m.address.fail(ctx, "list refs of", err)
	}
	m.latest.Store(l)
	return l, nil
}

func (m *mirror) resolve(ctx context.Context, ref Ref) (string, error) {
	m.used.Store(m.owner.tick())
	l, err := m.listings.do(ctx)
	if err != nil {
		return "", m.address.fail(ctx, "list refs of", err)
	}
	hash, v := l.commit(ref)
	if v.kind != nil {
		return "", m.refuse("resolve "+ref.String()+" of", v)
	}
	return hash.String(), nil
}

func (m *mirror) refuse(op string, v verdict) error {
	return &Error{Op: op, URL: m.address.shown, Kind: v.kind, Detail: v.detail, Hint: v.hint}
}

// snapshot opens a commit, fetching it if it is not here. The caller holds the mirror.
func (m *mirror) snapshot(ctx context.Context, ref Ref, commit string) (*Snapshot, error) {
	m.used.Store(m.owner.tick())
	hash := plumbing.NewHash(commit)
	if m.store != nil && m.store.has(hash) {
		if s, err := openSnapshot(m.owner, m.key, m.store, hash); err == nil {
			return s, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, m.owner.opts.FetchTimeout)
	defer cancel()
	if err := m.fetch(ctx, ref, hash); err != nil {
		return nil, m.address.fail(ctx, "fetch "+ref.String()+" of", err)
	}
	s, err := openSnapshot(m.owner, m.key, m.store, hash)
	if err != nil {
		return nil, m.address.fail(ctx, "read "+ref.String()+" of", err)
	}
	return s, nil
}

// settle makes a new store the mirror's, under a name that a restart finds again.
func (m *mirror) settle(s *store) error {
	dir := m.owner.nextDir(m.key)
	s.mu.Lock()
	err := s.shelf.close()
	if err == nil {
		err = os.Rename(s.dir, dir)
	}
	if err == nil {
		s.move(dir)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	old := m.store
	m.store = s
	if old == nil {
		return nil
	}
	return old.retire()
}

func (m *mirror) tmpFile(pattern string) (*os.File, error) {
	return os.CreateTemp(m.owner.tmp(), pattern)
}

func (m *mirror) tmpStore() (*store, error) {
	dir, err := os.MkdirTemp(m.owner.tmp(), "store-")
	if err != nil {
		return nil, err
	}
	return createStore(filepath.Clean(dir), m.owner.disk)
}
