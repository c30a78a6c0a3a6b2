package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"github.com/klauspost/compress/zstd"
)

// ChunkBytes is how much of a compressed pack one stored object holds.
const ChunkBytes = 512 << 10

// MaxPackBytes bounds what a pack may unpack to; a larger one is damaged or hostile.
const MaxPackBytes = 1 << 30

// ErrDamaged says that stored bytes are not what they were named after.
var ErrDamaged = errors.New("stored content is damaged")

// packHeader stands before the blobs of an unpacked pack, on one line.
type packHeader struct {
	Version int         `json:"v"`
	Blobs   []BlobEntry `json:"blobs"`
}

// BlobEntry is a pack's index entry.
type BlobEntry struct {
	Kind     Kind `json:"k"`
	ID       ID   `json:"id"`
	Identity ID   `json:"i,omitempty"`
	Size     int  `json:"n"`
}

// EncodePack returns the compressed bytes of a pack and its name, a digest of
// the workspace and the unpacked bytes: what two workspaces store alike is
// still each one's own. Blobs are sorted and stored once each, in one zstd frame,
// so that variants which differ in a name share nearly everything.
func EncodePack(p Pack) (data []byte, name string, err error) {
	blobs := uniqueBlobs(p.Blobs)
	head := packHeader{Version: Version}
	for _, b := range blobs {
		head.Blobs = append(head.Blobs, BlobEntry{Kind: b.Kind, ID: b.ID, Identity: b.Identity, Size: len(b.Data)})
	}
	line, err := json.Marshal(head)
	if err != nil {
		return nil, "", fmt.Errorf("encode pack of %s/%s: %w", p.Workspace, p.Bundle, err)
	}
	var raw bytes.Buffer
	raw.Write(line)
	raw.WriteByte('\n')
	for _, b := range blobs {
		raw.Write(b.Data)
	}
	sum := digestOf(p.Workspace, raw.Bytes())
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(windowFor(raw.Len())))
	if err != nil {
		return nil, "", fmt.Errorf("compress pack of %s/%s: %w", p.Workspace, p.Bundle, err)
	}
	defer func() { err = errors.Join(err, enc.Close()) }()
	return enc.EncodeAll(raw.Bytes(), nil), hex.EncodeToString(sum[:10]), nil
}

func digestOf(workspace string, raw []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(workspace), workspace)
	h.Write(raw) // A hash never fails.
	return h.Sum(nil)
}

// windowFor returns the smallest power of two that spans size, within what
// every decoder accepts (8 MiB), so that variants far apart still share.
func windowFor(size int) int {
	window := 1 << 16
	for window < size && window < 8<<20 {
		window <<= 1
	}
	return window
}

func uniqueBlobs(in []Blob) []Blob {
	blobs := append([]Blob(nil), in...)
	sort.SliceStable(blobs, func(i, j int) bool {
		if blobs[i].Kind != blobs[j].Kind {
			return blobs[i].Kind < blobs[j].Kind
		}
		return blobs[i].ID < blobs[j].ID
	})
	out := blobs[:0]
	for i, b := range blobs {
		if i > 0 && b.Kind == blobs[i-1].Kind && b.ID == blobs[i-1].ID {
			continue
		}
		out = append(out, b)
	}
	return out
}

// Index lists what a pack holds, without its data.
func (p Pack) Index() []BlobEntry {
	var out []BlobEntry
	for _, b := range uniqueBlobs(p.Blobs) {
		out = append(out, BlobEntry{Kind: b.Kind, ID: b.ID, Identity: b.Identity, Size: len(b.Data)})
	}
	return out
}

// DecodePack returns the blobs of a compressed pack. Every blob is checked
// against its id; one that differs makes the whole pack ErrDamaged.
func DecodePack(data []byte) ([]Blob, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxPackBytes))
	if err != nil {
		return nil, fmt.Errorf("open pack: %w", err)
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(data, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress pack: %w: %w", ErrDamaged, err)
	}
	line, rest, ok := bytes.Cut(raw, []byte{'\n'})
	if !ok {
		return nil, fmt.Errorf("pack has no header: %w", ErrDamaged)
	}
	var head packHeader
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, fmt.Errorf("read pack header: %w: %w", ErrDamaged, err)
	}
	if head.Version > Version {
		return nil, fmt.Errorf("pack has version %d, this program reads up to %d", head.Version, Version)
	}
	return splitBlobs(head.Blobs, rest)
}

func splitBlobs(entries []BlobEntry, rest []byte) ([]Blob, error) {
	blobs := make([]Blob, 0, len(entries))
	for _, e := range entries {
		if e.Size < 0 || e.Size > len(rest) {
			return nil, fmt.Errorf("pack ends within %s: %w", e.ID, ErrDamaged)
		}
		data := rest[:e.Size:e.Size]
		rest = rest[e.Size:]
		if IDOf(data) != e.ID {
			return nil, fmt.Errorf("bytes of %s have another digest: %w", e.ID, ErrDamaged)
		}
		blobs = append(blobs, Blob{Kind: e.Kind, ID: e.ID, Identity: e.Identity, Data: data})
	}
	return blobs, nil
}
