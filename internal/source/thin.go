package source

import (
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
)

// A thin pack may hold deltas of objects that only the receiver has. It is worth the trouble: without it a server sends
// the whole tree again for every commit of depth 1, since it looks at what we have only when it may use it as a base.
// As `git index-pack --fix-thin` does, the bases are added to the pack, which then stands on its own.

const (
	packHeader  = 12
	packTrailer = sha1.Size
)

// fatten adds the named objects of a store to a pack and writes its header and checksum anew.
func fatten(pack *os.File, meter *meteredWriter, from *store, bases []plumbing.Hash, bounds packBounds) error {
	end, err := pack.Seek(-packTrailer, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := pack.Truncate(end); err != nil {
		return err
	}
	var added uint32
	left := bounds.total
	for _, base := range bases {
		kind, data, err := from.readAny(base, min(left, bounds.object))
		if err != nil {
			return fmt.Errorf("base of a delta: %w", err)
		}
		if kind == plumbing.InvalidObject {
			// Not ours, so it must be in the pack; if not, indexing says so.
			continue
		}
		left -= int64(len(data))
		if err := appendObject(meter, kind, data); err != nil {
			return err
		}
		added++
	}
	return seal(pack, meter, added)
}

// appendObject writes one whole object: type and size in Git's variable length, then zlib.
func appendObject(w io.Writer, kind plumbing.ObjectType, data []byte) error {
	size := uint64(len(data))
	head := []byte{byte(kind)<<4 | byte(size&0x0f)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	z := zlib.NewWriter(w)
	if _, err := z.Write(data); err != nil {
		return err
	}
	return z.Close()
}

// seal counts the added objects in and writes the checksum of everything.
func seal(pack *os.File, meter *meteredWriter, added uint32) error {
	var count [4]byte
	if _, err := pack.ReadAt(count[:], packHeader-4); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(count[:], binary.BigEndian.Uint32(count[:])+added)
	if _, err := pack.WriteAt(count[:], packHeader-4); err != nil {
		return err
	}
	if _, err := pack.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha1.New()
	if _, err := io.Copy(sum, pack); err != nil {
		return err
	}
	// The old trailer was counted when it was downloaded; this one takes its room.
	meter.written -= packTrailer
	_, err := meter.Write(sum.Sum(nil))
	return err
}
