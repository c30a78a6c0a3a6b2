package manifest

import (
	"bytes"
)

// document is one YAML document of a file and the line it starts on.
type document struct {
	line int
	data []byte
}

// split cuts a file at document markers ("---" and "..." at the start of a
// line). Parsers for Kubernetes read only the first document they are given,
// so whatever is left in one piece by mistake would be lost without a word.
func split(data []byte) []document {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	docs := []document{{line: 1}}
	for number := 1; len(data) > 0; number++ {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		last := &docs[len(docs)-1]
		switch {
		case isMarker(line, "---"):
			// What follows the marker on its line belongs to the new document.
			docs = append(docs, document{line: number, data: append([]byte("   "), append(line[3:len(line):len(line)], '\n')...)})
		case isMarker(line, "..."):
			docs = append(docs, document{line: number + 1})
		default:
			last.data = append(append(last.data, line...), '\n')
		}
	}
	kept := docs[:0]
	for _, d := range docs {
		if !d.blank() {
			kept = append(kept, d)
		}
	}
	return kept
}

func isMarker(line []byte, marker string) bool {
	if !bytes.HasPrefix(line, []byte(marker)) {
		return false
	}
	return len(line) == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r'
}

// blank is true for a document of comments and directives only.
func (d document) blank() bool {
	for line := range bytes.Lines(d.data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// start is the first line with content, where a reader would look.
func (d document) start() int {
	number := d.line
	for line := range bytes.Lines(d.data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			break
		}
		number++
	}
	return number
}
