package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
)

// errNotServed means the server does not give out the commit although it answers.
var errNotServed = errors.New("the server does not give out this commit")

// order is one request for objects.
type order struct {
	wants []plumbing.Hash
	// whole asks for all history instead of the wanted commits alone.
	whole bool
	// base is the store that the objects complete; nil clones anew.
	base *store
}

// fetch brings a commit into the mirror's store. The cheapest way that can work comes first: what changed since the
// last commit, then a new clone, then, for a commit that no ref names, all history.
func (m *mirror) fetch(ctx context.Context, ref Ref, commit plumbing.Hash) error {
	l, want, listed, err := m.locate(ctx, commit)
	if err != nil {
		return err
	}
	o := order{wants: []plumbing.Hash{want}}
	if m.store != nil && !m.store.worn(m.owner.opts.MaxFetches) {
		o.base = m.store
	}
	err = m.perform(ctx, l, o, commit)
	if errors.Is(err, ErrCorrupt) && o.base != nil {
		// The server left out what it believed to be here.
		o.base = nil
		err = m.perform(ctx, l, o, commit)
	}
	if errors.Is(err, errDiskFull) && m.store != nil {
		// The old commits here may be what takes the room; without this a mirror could fill the disk and stay so.
		err = m.store.retire()
		m.store, o.base = nil, nil
		if err == nil {
			err = m.perform(ctx, l, o, commit)
		}
	}
	if !errors.Is(err, errNotServed) || listed {
		return err
	}
	return m.dig(ctx, l, ref, commit)
}

// locate finds out what to ask for. The listing that Resolve made a moment ago will do if it names the commit.
func (m *mirror) locate(ctx context.Context, commit plumbing.Hash) (l *listing, want plumbing.Hash, listed bool, err error) {
	if l = m.latest.Load(); l != nil {
		if want, listed = l.want(commit); listed {
			return l, want, true, nil
		}
	}
	if l, err = m.listings.do(ctx); err != nil {
		return nil, commit, false, err
	}
	want, listed = l.want(commit)
	return l, want, listed, nil
}

// dig looks for a commit in all history, for servers that give out only what a ref names.
func (m *mirror) dig(ctx context.Context, l *listing, ref Ref, commit plumbing.Hash) error {
	if ref.Revision != commit.String() {
		return m.refuse("fetch "+ref.String()+" of", verdict{ErrRefNotFound, ref.String() + " has moved on from commit " + commit.String(), "resolve it again"})
	}
	err := m.perform(ctx, l, order{wants: l.heads(ref.Branch), whole: true}, commit)
	if errors.Is(err, ErrCorrupt) {
		return m.refuse("fetch "+ref.String()+" of", verdict{ErrRefNotFound, "no branch there contains the commit", "check spec.revision"})
	}
	return err
}

// perform carries out one order. The mirror's store changes only if everything went well.
func (m *mirror) perform(ctx context.Context, l *listing, o order, commit plumbing.Hash) error {
	spool, err := m.download(ctx, l, o)
	if err != nil {
		return err
	}
	defer spool.discard()
	if err := spool.check(ctx, m, o.base); err != nil {
		return err
	}
	if err := spool.makeIndex(ctx, m); err != nil {
		return err
	}
	if o.base != nil {
		return spool.moveInto(o.base, commit)
	}
	fresh, err := m.tmpStore()
	if err != nil {
		return err
	}
	if err := spool.moveInto(fresh, commit); err != nil {
		return errors.Join(err, fresh.retire())
	}
	return m.settle(fresh)
}

// request words an order for a server of given capabilities.
func (o order) request(caps *capability.List) (*packp.UploadPackRequest, error) {
	req := packp.NewUploadPackRequestFromCapabilities(caps)
	req.Wants = o.wants
	if caps.Supports(capability.NoProgress) {
		if err := req.Capabilities.Set(capability.NoProgress); err != nil {
			return nil, err
		}
	}
	// A server that cannot cut history sends all of it, within the same bounds.
	if !o.whole && caps.Supports(capability.Shallow) {
		if err := req.Capabilities.Set(capability.Shallow); err != nil {
			return nil, err
		}
		req.Depth = packp.DepthCommits(1)
		if o.base != nil {
			req.Haves, req.Shallows = o.base.known()
			// Git's own client sends this unasked too.
			if err := req.Capabilities.Set(capability.ThinPack); err != nil {
				return nil, err
			}
		}
	}
	return req, nil
}

// download spools a pack. Nothing of it is visible before it is whole, checked and indexed.
func (m *mirror) download(ctx context.Context, l *listing, o order) (*spool, error) {
	req, err := o.request(l.refs.Capabilities)
	if err != nil {
		return nil, err
	}
	endpoint := l.endpoint
	session, err := (*m.wire.Load()).session(ctx, &endpoint)
	if err != nil {
		return nil, err
	}
	// The pack carries its own checksum; a failure to say goodbye does not make it wrong.
	defer func() { _ = session.Close() }()
	answer, err := session.UploadPack(ctx, req)
	if err != nil {
		return nil, notServed(err)
	}
	defer func() { _ = answer.Close() }()
	file, err := m.tmpFile("pack-")
	if err != nil {
		return nil, err
	}
	s := &spool{file: file, meter: meteredWriter{w: file, disk: m.owner.disk, limit: m.owner.opts.MaxPackBytes}}
	s.shallow, s.unshallow = answer.Shallows, answer.Unshallows
	if _, err := io.Copy(&s.meter, demultiplexed(req.Capabilities, answer)); err != nil {
		s.discard()
		return nil, notServed(err)
	}
	s.meter.settle()
	return s, nil
}

func demultiplexed(caps *capability.List, r io.Reader) io.Reader {
	switch {
	case caps.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case caps.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	default:
		return r
	}
}

// notServed recognises the ways in which servers say that a commit may not be asked for by its id.
func notServed(err error) error {
	for _, sign := range []string{"not our ref", "unadvertised object", "not valid", "no such remote ref"} {
		if strings.Contains(err.Error(), sign) {
			return fmt.Errorf("%w: %w", errNotServed, err)
		}
	}
	return err
}

// spool is a pack on its way into a store.
type spool struct {
	file               *os.File
	meter              meteredWriter
	idx                string
	sum                plumbing.Hash
	index              *idxfile.MemoryIndex
	shallow, unshallow []plumbing.Hash
	moved              bool
}

// check holds the pack against the bounds and makes it stand on its own.
func (s *spool) check(ctx context.Context, m *mirror, base *store) error {
	o := m.owner.opts
	bounds := packBounds{object: o.MaxObjectBytes, total: o.MaxUnpackedBytes, objects: o.MaxObjects}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	bases, err := inspectPack(&contextSeeker{ctx: ctx, r: s.file}, bounds)
	if err != nil || len(bases) == 0 || base == nil {
		return err
	}
	err = fatten(s.file, &s.meter, base, bases, bounds)
	s.meter.settle()
	return err
}

// makeIndex lets go-git make the index.
func (s *spool) makeIndex(ctx context.Context, m *mirror) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	idx, err := m.tmpFile("idx-")
	if err != nil {
		return err
	}
	s.idx = idx.Name()
	s.sum, s.index, err = indexPack(ctx, s.file, idx)
	size, seekErr := idx.Seek(0, io.SeekEnd)
	if err := errors.Join(err, seekErr, idx.Close()); err != nil {
		return err
	}
	if err := m.owner.disk.take(size); err != nil {
		return err
	}
	s.meter.taken += size
	return nil
}

// moveInto hands the pack over to a store and records the commit there.
func (s *spool) moveInto(to *store, commit plumbing.Hash) error {
	if err := to.addPack(s); err != nil {
		return err
	}
	s.moved = true
	return to.complete(commit, s.shallow, s.unshallow)
}

// discard closes the spool and frees what was not moved. Leftovers of a failure are swept at the next start.
func (s *spool) discard() {
	_ = s.file.Close()
	if s.moved {
		return
	}
	s.meter.disk.give(s.meter.taken)
	_ = os.Remove(s.file.Name())
	if s.idx != "" {
		_ = os.Remove(s.idx)
	}
}
