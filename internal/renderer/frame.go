package renderer

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// The conversation between parent and child: frames of a 4-byte big-endian
// length and JSON. The parent says hello with the limits, the child answers
// what it could set up, then requests and responses alternate until the parent
// closes stdin.

// maxRequest bounds a request; bundles are bounded far below by their readers.
const maxRequest = 256 << 20

type hello struct {
	Limits Limits `json:"limits"`
}

type helloAnswer struct {
	Confinement Confinement `json:"confinement"`
}

type request struct {
	Inputs Inputs `json:"inputs"`
	// Trace renders file by file and names each on stderr, to find the one that breaks a limit.
	Trace bool `json:"trace,omitempty"`
	// Files asks in which file each object stands, and what made its volatile values.
	Files bool `json:"files,omitempty"`
}

type response struct {
	Item *content.Item `json:"item,omitempty"`
	// Files of the item's objects, if asked for.
	Files map[content.Key]string `json:"files,omitempty"`
	// Origins of its volatile values, if files were asked for.
	Origins []content.Origin `json:"origins,omitempty"`
	// Answers are what was asked about the cluster, and what was told, of a fault too.
	Answers map[string]string `json:"answers,omitempty"`
	Fault   *manifest.Fault   `json:"fault,omitempty"`
	// Retire says that the child ends now: it could influence the next bundle, or has grown.
	Retire bool `json:"retire,omitempty"`
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
