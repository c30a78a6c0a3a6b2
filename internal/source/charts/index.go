package charts

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// index is what we keep of an index.yaml. Charts are read when they are asked for: the text of an index of 20 MiB is read
// in seconds, that of one chart in milliseconds.
type index struct {
	maxVersions int

	mu     sync.Mutex // guards the fields below once the index is shared
	charts map[string][]release
	cost   int64
	// parts says where each chart stands in the text that is packed; nil if all charts were read.
	parts  map[string]span
	packed []byte
}

// size is about the memory that the index takes.
func (ix *index) size() int64 {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.cost
}

type span struct{ from, to int }

// release is one version of a chart.
type release struct {
	version string
	// url is absolute or relative to the repository.
	url string
	// digest is sha256:<hex> of the archive, or empty.
	digest string
}

// indexFile is the part of an index that is read; whatever else is there is skipped without being expanded.
type indexFile struct {
	APIVersion string                  `json:"apiVersion" yaml:"apiVersion"`
	Entries    map[string][]indexEntry `json:"entries" yaml:"entries"`
}

type indexEntry struct {
	Version string   `json:"version" yaml:"version"`
	URLs    []string `json:"urls" yaml:"urls"`
	Digest  string   `json:"digest" yaml:"digest"`
}

// maxWhole bounds what is given to the YAML parser at once, which takes some twenty times the size of its text. It also
// bounds aliases: the parser refuses documents that are mostly made of them.
const maxWhole = 4 << 20

// parseIndex reads an index. One in block style is cut into its charts, and only its head is parsed; JSON is decoded as
// it stands; anything else has to be small.
func parseIndex(text []byte, maxVersions int) (*index, error) {
	ix := &index{maxVersions: maxVersions, charts: map[string][]release{}}
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); bytes.HasPrefix(trimmed, []byte("{")) && json.Valid(trimmed) {
		var file indexFile
		if err := json.Unmarshal(trimmed, &file); err != nil {
			return nil, fmt.Errorf("%w: this is JSON, but no index of charts", ErrProtocol)
		}
		return ix, ix.addFile(file)
	}
	head, parts, ok := cutIndex(text)
	if !ok {
		return ix, ix.readWhole(text)
	}
	if err := ix.readHead(head); err != nil {
		return nil, err
	}
	ix.parts = parts
	return ix, ix.pack(text)
}

// readWhole parses an index in any style.
func (ix *index) readWhole(text []byte) error {
	if len(text) > maxWhole {
		return fmt.Errorf("%w: an index of more than %d bytes has to be in block style, as helm repo index writes it", ErrTooLarge, maxWhole)
	}
	var file indexFile
	if err := yaml.Unmarshal(text, &file); fatal(err) {
		return fmt.Errorf("%w: this is no index of charts: %s", ErrProtocol, firstLine(err))
	}
	ix.charts, ix.parts, ix.packed = map[string][]release{}, nil, nil
	return ix.addFile(file)
}

func (ix *index) readHead(head []byte) error {
	if len(head) > maxWhole {
		return fmt.Errorf("%w: more than %d bytes outside of entries", ErrTooLarge, maxWhole)
	}
	var file indexFile
	if err := yaml.Unmarshal(head, &file); fatal(err) {
		return fmt.Errorf("%w: this is no index of charts: %s", ErrProtocol, firstLine(err))
	}
	return ix.addFile(file)
}

// releases gives a chart's versions, and whether there is such a chart.
func (ix *index) releases(name string) ([]release, bool, error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if releases, ok := ix.charts[name]; ok {
		return releases, true, nil
	}
	at, ok := ix.parts[name]
	if !ok {
		return nil, false, nil
	}
	text, err := ix.unpack()
	if err != nil {
		return nil, false, err
	}
	if err := ix.readPart(name, text[at.from:at.to]); err != nil {
		// An anchor of another chart, or a text that is not set in: only the whole makes sense.
		if len(text) > maxWhole || ix.readWhole(text) != nil {
			return nil, false, err
		}
	}
	releases, ok := ix.charts[name]
	return releases, ok, nil
}

func (ix *index) readPart(name string, part []byte) error {
	if len(part) > maxWhole {
		return fmt.Errorf("%w: chart %s has more than %d bytes in the index", ErrTooLarge, showText(name), maxWhole)
	}
	var entries map[string][]indexEntry
	if err := yaml.Unmarshal(part, &entries); fatal(err) {
		return fmt.Errorf("%w: the index cannot be read at chart %s: %s", ErrProtocol, showText(name), firstLine(err))
	}
	if list, ok := entries[name]; !ok || len(entries) != 1 || list == nil && !emptyPart(part) {
		return fmt.Errorf("%w: the index cannot be read at chart %s", ErrProtocol, showText(name))
	}
	return ix.add(entries)
}

// emptyPart is true for a chart without versions, as opposed to one that is no list.
func emptyPart(part []byte) bool {
	var values map[string]any
	return yaml.Unmarshal(part, &values) == nil && len(values) == 1 && slices.Collect(maps.Values(values))[0] == nil
}

// names are the charts of the index.
func (ix *index) names() []string {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.parts != nil {
		return slices.Collect(maps.Keys(ix.parts))
	}
	return slices.Collect(maps.Keys(ix.charts))
}

// pack keeps the text for charts that are asked for later; indexes shrink to a tenth.
func (ix *index) pack(text []byte) error {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	ix.packed = bytes.Clone(b.Bytes())
	ix.cost += int64(len(ix.packed))
	for name := range ix.parts {
		ix.cost += int64(len(name) + entryCost)
	}
	return nil
}

func (ix *index) unpack() ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(ix.packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// fatal is false for errors that concern single fields: the parser goes on after them, and an entry that lost its version
// is left out below.
func fatal(err error) bool {
	var fields *yaml.TypeError
	return err != nil && !errors.As(err, &fields)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func (ix *index) addFile(file indexFile) error {
	if file.APIVersion == "" {
		return fmt.Errorf("%w: this is no index of charts: it has no apiVersion", ErrProtocol)
	}
	return ix.add(file.Entries)
}

// entryCost is what a release or name takes beside its text.
const entryCost = 64

// add keeps what can be used of entries.
func (ix *index) add(entries map[string][]indexEntry) error {
	for name, list := range entries {
		releases := make([]release, 0, len(list))
		for _, e := range list {
			if e.Version == "" || len(e.Version) > maxConstraint {
				continue
			}
			r := release{version: e.Version, digest: indexDigest(e.Digest)}
			if len(e.URLs) > 0 && len(e.URLs[0]) <= maxURL {
				r.url = e.URLs[0]
			}
			releases = append(releases, r)
			ix.cost += int64(len(r.version) + len(r.url) + len(r.digest) + entryCost)
		}
		ix.charts[name] = releases
		ix.cost += int64(len(name) + entryCost)
	}
	count := 0
	for _, releases := range ix.charts {
		count += len(releases)
	}
	if count > ix.maxVersions {
		return fmt.Errorf("%w: the index lists more than %d versions", ErrTooLarge, ix.maxVersions)
	}
	return nil
}

// indexDigest gives a digest of an index our form. Other algorithms and garbage, which Helm does not look at either,
// count as none.
func indexDigest(text string) string {
	digest := digestPrefix + strings.ToLower(strings.TrimPrefix(strings.TrimSpace(text), digestPrefix))
	if !validDigest(digest) {
		return ""
	}
	return digest
}

const digestPrefix = "sha256:"

func validDigest(digest string) bool {
	text, ok := strings.CutPrefix(digest, digestPrefix)
	if !ok || len(text) != 64 || strings.ToLower(text) != text {
		return false
	}
	_, err := hex.DecodeString(text)
	return err == nil
}
