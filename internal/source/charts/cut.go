package charts

import (
	"bytes"
	"iter"

	"go.yaml.in/yaml/v3"
)

// cutIndex cuts an index in block style at the keys of its entries. The head is everything else. It is not ok if the
// text is not built so; parsing decides whether what was cut makes sense.
func cutIndex(text []byte) (head []byte, parts map[string]span, ok bool) {
	start, end := findEntries(text)
	if start < 0 {
		return nil, nil, false
	}
	indent := keyIndent(text[start:end])
	if indent == 0 {
		return nil, nil, false
	}
	parts = map[string]span{}
	name, from := "", -1
	for at := range lines(text[start:end]) {
		at += start
		if !startsKey(text[at:end], indent) {
			continue
		}
		if from >= 0 {
			parts[name] = span{from, at}
		}
		if name, ok = keyOf(text[at:end]); !ok {
			return nil, nil, false
		}
		if _, twice := parts[name]; twice {
			return nil, nil, false
		}
		from = at
	}
	parts[name] = span{from, end}
	return append(append([]byte{}, text[:start]...), text[end:]...), parts, true
}

// maxKey bounds the line that starts a chart.
const maxKey = 512

// keyOf is the key that a line starts with, in quotes or without.
func keyOf(line []byte) (string, bool) {
	line, _, _ = bytes.Cut(line[:min(len(line), maxKey)], []byte("\n"))
	key, _, ok := bytes.Cut(line, []byte(":"))
	var name string
	if !ok || yaml.Unmarshal(key, &name) != nil || name == "" {
		return "", false
	}
	return name, true
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
