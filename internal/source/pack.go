package source

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// packBounds limit what unpacking may cost: half a megabyte on the wire can be 400 MB of zeros, and a delta of seven
// bytes can copy 16 MB.
type packBounds struct {
	object, total int64
	objects       int
}

// inspectPack reads a whole pack without keeping any of it and checks its checksum and bounds, so that what go-git
// allocates afterwards is known to be bounded. It gives the ids of delta bases that need not be in the pack.
func inspectPack(r io.Reader, bounds packBounds) (bases []plumbing.Hash, err error) {
	defer caught(&err)
	scanner := packfile.NewScanner(r)
	_, count, err := scanner.Header()
	if err != nil {
		return nil, fmt.Errorf("read pack header: %w", err)
	}
	if int64(count) > int64(bounds.objects) {
		return nil, fmt.Errorf("pack has %d objects, limit is %d: %w", count, bounds.objects, ErrTooLarge)
	}
	weights := &packWeights{bounds: bounds, chain: make(map[int64]int64, min(int(count), 1<<16)), bases: map[plumbing.Hash]struct{}{}}
	for range count {
		if err := inspectObject(scanner, weights); err != nil {
			return nil, err
		}
	}
	if _, err := scanner.Checksum(); err != nil {
		return nil, fmt.Errorf("pack checksum: %w", err)
	}
	bases = slices.Collect(maps.Keys(weights.bases))
	plumbing.HashesSort(bases)
	return bases, nil
}

func inspectObject(scanner *packfile.Scanner, weights *packWeights) error {
	header, err := scanner.NextObjectHeader()
	if err != nil {
		return fmt.Errorf("read object header: %w", err)
	}
	if header.Length > weights.bounds.object {
		return fmt.Errorf("an object has %d bytes, limit is %d: %w", header.Length, weights.bounds.object, ErrTooLarge)
	}
	var head deltaHead
	n, _, err := scanner.NextObject(&head)
	if err != nil {
		return fmt.Errorf("unpack object at %d: %w", header.Offset, err)
	}
	if n != header.Length {
		return fmt.Errorf("object at %d has %d bytes instead of %d: %w", header.Offset, n, header.Length, packfile.ErrMalformedPackFile)
	}
	return weights.add(header, head)
}

// packWeights adds up what the objects of a pack take when they are whole.
type packWeights struct {
	bounds packBounds
	total  int64
	// chain is, by offset, the bytes of an object and of all it is a delta of: the parser holds them at once.
	chain map[int64]int64
	// loose is the same for deltas whose base is named by id, taken together since their chains are not known yet.
	loose int64
	bases map[plumbing.Hash]struct{}
}

func (w *packWeights) add(header *packfile.ObjectHeader, head deltaHead) error {
	size, held := header.Length, header.Length
	if header.Type.IsDelta() {
		result, ok := head.resultSize()
		if !ok || result > w.bounds.object {
			return fmt.Errorf("a delta makes an object of %d bytes, limit is %d: %w", result, w.bounds.object, ErrTooLarge)
		}
		size = header.Length + result
		held = size + w.chain[header.OffsetReference]
		if header.Type == plumbing.REFDeltaObject {
			w.loose += size
			held = w.loose
			w.bases[header.Reference] = struct{}{}
		}
	}
	w.total += size
	w.chain[header.Offset] = held
	if w.total > w.bounds.total {
		return fmt.Errorf("the pack unpacks to more than %d bytes: %w", w.bounds.total, ErrTooLarge)
	}
	if held > 4*w.bounds.object {
		return fmt.Errorf("a chain of deltas takes more than %d bytes: %w", 4*w.bounds.object, ErrTooLarge)
	}
	return nil
}

// deltaHead keeps the first bytes of an object; in a delta they hold the sizes of its base and of its result.
type deltaHead struct {
	bytes [20]byte
	n     int
}

// Write implements io.Writer.
func (h *deltaHead) Write(p []byte) (int, error) {
	h.n += copy(h.bytes[h.n:], p)
	return len(p), nil
}

// resultSize skips the base's size and reads the result's, both little-endian base 128.
func (h *deltaHead) resultSize() (int64, bool) {
	rest := h.bytes[:h.n]
	var value int64
	for range 2 {
		value = 0
		for shift := 0; ; shift += 7 {
			if len(rest) == 0 || shift > 56 {
				return 0, false
			}
			b := rest[0]
			rest = rest[1:]
			value |= int64(b&0x7f) << shift
			if b&0x80 == 0 {
				break
			}
		}
	}
	return value, true
}

// indexPack writes the index that lets Git find objects in a pack, and gives it and the pack's checksum.
func indexPack(ctx context.Context, pack io.ReadSeeker, to *os.File) (sum plumbing.Hash, index *idxfile.MemoryIndex, err error) {
	defer caught(&err)
	writer := new(idxfile.Writer)
	parser, err := packfile.NewParser(packfile.NewScanner(&contextSeeker{ctx: ctx, r: pack}), writer)
	if err != nil {
		return sum, nil, err
	}
	sum, err = parser.Parse()
	if err != nil {
		return sum, nil, fmt.Errorf("index pack: %w", err)
	}
	index, err = writer.Index()
	if err != nil {
		return sum, nil, fmt.Errorf("index pack: %w", err)
	}
	if _, err := idxfile.NewEncoder(to).Encode(index); err != nil {
		return sum, nil, fmt.Errorf("write pack index: %w", err)
	}
	return sum, index, nil
}

// contextSeeker ends reading when the context ends: the parser takes none.
type contextSeeker struct {
	ctx context.Context
	r   io.ReadSeeker
}

// Read implements io.Reader.
func (c *contextSeeker) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Seek implements io.Seeker.
func (c *contextSeeker) Seek(offset int64, whence int) (int64, error) {
	return c.r.Seek(offset, whence)
}
