package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// KeepAlive is how often a stream's server sends a line at least.
	KeepAlive = 30 * time.Second
	// StreamSilence is after how long without a line a client gives a stream up.
	StreamSilence = 75 * time.Second
	// MaxLine bounds one line of a stream: an API server's largest object, escaped.
	MaxLine = 8 << 20
)

// The agent API: paths, headers and media types.
const (
	PathJoin       = "/agent/v1/join"
	PathAssignment = "/agent/v1/assignment"
	PathContent    = "/agent/v1/content/"
	PathReport     = "/agent/v1/report"
	PathRotate     = "/agent/v1/rotate"
	// HeaderObeyed carries the signature of the newest document the agent obeyed.
	HeaderObeyed = "Muster-Obeyed"

	MediaStream = "application/x-ndjson"
	MediaJOSE   = "application/jose"
)

// KeepAliveLine is an empty envelope.
var KeepAliveLine = []byte("{}\n")

// IsKeepAlive tells whether the envelope says only that the stream lives.
func (e Envelope) IsKeepAlive() bool { return e.Signature == "" && e.Document == "" }

// Line returns the envelope as one line of a stream.
func (e Envelope) Line() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	// The document is JSON already; escaping its < and > would only make it longer.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	return buf.Bytes(), nil
}

// EnvelopeReader reads the lines of a stream.
type EnvelopeReader struct{ r *bufio.Reader }

// NewEnvelopeReader reads from r.
func NewEnvelopeReader(r io.Reader) *EnvelopeReader {
	return &EnvelopeReader{r: bufio.NewReaderSize(r, 32<<10)}
}

// Next returns the next envelope. A line that was cut off is io.ErrUnexpectedEOF.
func (er *EnvelopeReader) Next() (Envelope, error) {
	line, err := er.line()
	if err != nil {
		return Envelope{}, err
	}
	var env Envelope
	if err := json.Unmarshal(line, &env); err != nil {
		return Envelope{}, fmt.Errorf("read stream: %w", err)
	}
	return env, nil
}

func (er *EnvelopeReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := er.r.ReadSlice('\n')
		if err == nil && line == nil {
			return part, nil
		}
		line = append(line, part...)
		switch {
		case len(line) > MaxLine:
			return nil, fmt.Errorf("read stream: a line is longer than %d bytes", MaxLine)
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}
