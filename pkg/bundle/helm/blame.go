package helm

import (
	"bytes"
	"errors"
	"regexp"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// culprits are the places where text/template quotes what it complains about.
// Nodes are cut after 20 bytes.
var culprits = []*regexp.Regexp{
	regexp.MustCompile(`at <(.+?)(?:\.\.\.)?>: `),
	regexp.MustCompile(`function "(\w+)" not defined`),
	regexp.MustCompile(`unexpected "([^"]+)" in`),
	regexp.MustCompile(`bad character U\+\S+ '(.)'`),
}

// blame adds to a fault of the values' templates the line of the values file
// that the template stands in; without one it stands in helm.values. All values
// are executed as one text that nobody wrote, so this is a search for what the
// fault quotes.
func blame(err error, files []bundle.File, in ValuesInput) error {
	var f *manifest.Fault
	if !errors.As(err, &f) {
		return err
	}
	quoted := culprit(f.Message)
	if quoted == "" {
		return err
	}
	for _, name := range in.Files {
		name = strings.TrimPrefix(name, "./")
		data, _ := find(files, name)
		if line := lineWith(data, quoted); line > 0 {
			f.File, f.Line = name, line
			return f
		}
	}
	return f
}

func culprit(message string) string {
	for _, pattern := range culprits {
		if m := pattern.FindStringSubmatch(message); m != nil {
			return m[1]
		}
	}
	return ""
}

// lineWith is the first line, from 1, that holds a text and a template, or 0.
func lineWith(data []byte, text string) int {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if bytes.Contains(line, []byte(text)) && bytes.Contains(line, []byte("${")) {
			return number
		}
	}
	return 0
}
