package charts

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

// index is what we keep of an index.yaml: its charts' versions in the order they stand there.
type index struct {
	charts map[string][]release
	cost   int64
}

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

// parseIndex reads an index. Indexes of 20 MiB exist, so one in block style is cut into its charts, which are parsed one
// by one; JSON is decoded as it stands; anything else has to be small.
func parseIndex(text []byte, maxVersions int) (*index, error) {
	ix := &index{charts: map[string][]release{}}
	if trimmed := bytes.TrimLeft(text, " \t\r\n"); bytes.HasPrefix(trimmed, []byte("{")) && json.Valid(trimmed) {
		var file indexFile
		if err := json.Unmarshal(trimmed, &file); err != nil {
			return nil, fmt.Errorf("%w: this is JSON, but no index of charts", ErrProtocol)
		}
		return ix, ix.addFile(file, maxVersions)
	}
	head, parts, ok := cutIndex(text)
	if ok {
		err := ix.addParts(head, parts, maxVersions)
		if err == nil || errors.Is(err, ErrTooLarge) || len(text) > maxWhole {
			return ix, err
		}
	}
	if len(text) > maxWhole {
		return nil, fmt.Errorf("%w: an index of more than %d bytes has to be in block style, as helm repo index writes it", ErrTooLarge, maxWhole)
	}
	var file indexFile
	if err := yaml.Unmarshal(text, &file); fatal(err) {
		return nil, fmt.Errorf("%w: this is no index of charts: %s", ErrProtocol, firstLine(err))
	}
	whole := &index{charts: map[string][]release{}}
	return whole, whole.addFile(file, maxVersions)
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

// addParts parses the head and then each chart's part.
func (ix *index) addParts(head []byte, parts iter.Seq[[]byte], maxVersions int) error {
	if len(head) > maxWhole {
		return fmt.Errorf("%w: more than %d bytes outside of entries", ErrTooLarge, maxWhole)
	}
	var file indexFile
	if err := yaml.Unmarshal(head, &file); fatal(err) {
		return fmt.Errorf("%w: this is no index of charts: %s", ErrProtocol, firstLine(err))
	}
	if err := ix.addFile(file, maxVersions); err != nil {
		return err
	}
	for part := range parts {
		name, _, _ := strings.Cut(strings.TrimSpace(string(part[:min(len(part), 80)])), "\n")
		if len(part) > maxWhole {
			return fmt.Errorf("%w: entry %s has more than %d bytes", ErrTooLarge, name, maxWhole)
		}
		var entries map[string][]indexEntry
		if err := yaml.Unmarshal(part, &entries); fatal(err) {
			return fmt.Errorf("%w: entry %s cannot be read: %s", ErrProtocol, name, firstLine(err))
		}
		if err := ix.add(entries, maxVersions); err != nil {
			return err
		}
	}
	return nil
}

func (ix *index) addFile(file indexFile, maxVersions int) error {
	if file.APIVersion == "" {
		return fmt.Errorf("%w: this is no index of charts: it has no apiVersion", ErrProtocol)
	}
	return ix.add(file.Entries, maxVersions)
}

// entryCost is what a release takes beside its text.
const entryCost = 64

// add keeps what can be used of entries.
func (ix *index) add(entries map[string][]indexEntry, maxVersions int) error {
	for name, list := range entries {
		releases := ix.charts[name]
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
	if ix.cost > int64(maxVersions)*entryCost*8 {
		return fmt.Errorf("%w: the index lists more than we keep", ErrTooLarge)
	}
	return ix.checkCount(maxVersions)
}

func (ix *index) checkCount(maxVersions int) error {
	count := 0
	for _, releases := range ix.charts {
		count += len(releases)
	}
	if count > maxVersions {
		return fmt.Errorf("%w: the index lists more than %d versions", ErrTooLarge, maxVersions)
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

// cutIndex cuts an index in block style at the keys of its entries. The head is everything else. It is not ok if the
// text is not built so; parsing decides whether what was cut makes sense.
func cutIndex(text []byte) (head []byte, parts iter.Seq[[]byte], ok bool) {
	start, end := findEntries(text)
	if start < 0 {
		return nil, nil, false
	}
	entries := text[start:end]
	indent := keyIndent(entries)
	if indent == 0 {
		return nil, nil, false
	}
	head = append(append([]byte{}, text[:start]...), text[end:]...)
	return head, func(yield func([]byte) bool) {
		from := -1
		for at := range lines(entries) {
			if !startsKey(entries[at:], indent) {
				continue
			}
			if from >= 0 && !yield(entries[from:at]) {
				return
			}
			from = at
		}
		yield(entries[from:])
	}, true
}

// findEntries gives the lines below the key entries.
func findEntries(text []byte) (start, end int) {
	start = -1
	for at := range lines(text) {
		line := text[at:]
		switch {
		case start >= 0 && at > start && startsKey(line, 0):
			return start, at
		case start < 0 && bytes.HasPrefix(line, []byte("entries:")):
			rest, _, more := bytes.Cut(line[len("entries:"):], []byte("\n"))
			if !more || len(bytes.TrimSpace(rest)) > 0 {
				return -1, 0
			}
			start = at + len("entries:") + len(rest) + 1
		}
	}
	return start, len(text)
}

// lines yields where each line starts.
func lines(text []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		for at := 0; at < len(text); {
			if !yield(at) {
				return
			}
			next := bytes.IndexByte(text[at:], '\n')
			if next < 0 {
				return
			}
			at += next + 1
		}
	}
}

// keyIndent is the indentation of the first key.
func keyIndent(entries []byte) int {
	for at := range lines(entries) {
		line := entries[at:]
		n := len(line) - len(bytes.TrimLeft(line, " "))
		if startsKey(line, n) {
			return n
		}
	}
	return 0
}

// startsKey is true for a line that starts at the indentation and with neither space, comment nor list item.
func startsKey(line []byte, indent int) bool {
	if len(line) <= indent || len(bytes.TrimLeft(line[:indent], " ")) > 0 {
		return false
	}
	switch line[indent] {
	case ' ', '\t', '\r', '\n', '#', '-':
		return false
	}
	return true
}
