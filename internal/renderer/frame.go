package renderer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// The conversation between parent and child: frames of a 4-byte big-endian
// length and JSON. The parent says hello with the limits, the child answers
// what it could set up, then requests and responses alternate until the parent
// closes stdin. The files of a request follow its frame.

// maxRequest bounds a request; bundles are bounded far below by their readers.
const maxRequest = 256 << 20

type hello struct {
	Limits Limits `json:"limits"`
}

type helloAnswer struct {
	Confinement Confinement `json:"confinement"`
}

// request is followed by the bytes of the inputs' files, one after another: as
// they are, since their encoding would take more memory than they do.
type request struct {
	Inputs Inputs `json:"inputs"`
	// Sizes of the files that follow, in the order of Inputs.Files.
	Sizes []int `json:"sizes"`
	// Trace renders file by file and names each on stderr, to find the one that breaks a limit.
	Trace bool `json:"trace,omitempty"`
	// Files asks in which file each object stands, and what made its volatile values.
	Files bool `json:"files,omitempty"`
}

type response struct {
	// Rendered says that Objects are all there are; else Fault says why not.
	Rendered bool             `json:"rendered,omitempty"`
	Objects  []content.Object `json:"objects,omitempty"`
	// Files of the objects, if asked for.
	Files map[content.Key]string `json:"files,omitempty"`
	// Origins of their volatile values, if files were asked for.
	Origins []content.Origin `json:"origins,omitempty"`
	// Answers are what was asked about the cluster, and what was told, of a fault too.
	Answers map[string]string `json:"answers,omitempty"`
	Fault   *manifest.Fault   `json:"fault,omitempty"`
	// Retire says that the child ends now: it could influence the next bundle, or has grown.
	Retire bool `json:"retire,omitempty"`
}

func writeRequest(w io.Writer, r request) error {
	files := r.Inputs.Files
	r.Inputs.Files, r.Sizes = make([]bundle.File, len(files)), make([]int, len(files))
	for i, f := range files {
		r.Inputs.Files[i].Path, r.Sizes[i] = f.Path, len(f.Data)
	}
	if err := writeFrame(w, r); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := w.Write(f.Data); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	return nil
}

func readRequest(from io.Reader) (r request, err error) {
	if err := readFrame(from, maxRequest, &r); err != nil {
		return r, err
	}
	room := maxRequest
	for i, size := range r.Sizes {
		if room -= size; i >= len(r.Inputs.Files) || size < 0 || room < 0 {
			return r, fmt.Errorf("read files: %d bytes for file %d of %d", size, i, len(r.Inputs.Files))
		}
		r.Inputs.Files[i].Data = make([]byte, size)
		if _, err := io.ReadFull(from, r.Inputs.Files[i].Data); err != nil {
			return r, fmt.Errorf("read files: %w", err)
		}
	}
	return r, nil
}

func writeFrame(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	return writeBytes(w, data)
}

func writeBytes(w io.Writer, data []byte) error {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(data)))
	if _, err := w.Write(length[:]); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// readFrame reads one frame of at most limit bytes; io.EOF between frames is the end.
func readFrame(r io.Reader, limit int64, into any) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	if size > limit {
		return fmt.Errorf("read frame: %d bytes, at most %d allowed", size, limit)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	return nil
}
