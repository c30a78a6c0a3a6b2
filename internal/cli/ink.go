package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// ink colours words for a terminal; the zero value leaves them as they are.
type ink struct{ on bool }

// inkFor is on for a terminal whose owner does not say NO_COLOR (no-color.org).
func inkFor(out io.Writer) ink {
	file, ok := out.(*os.File)
	return ink{ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))}
}

// severity is red for an error and yellow for a warning.
func (i ink) severity(word string) string {
	code := map[string]string{"error": "31", "warning": "33"}[word]
	if !i.on || code == "" {
		return word
	}
	return "\x1b[1;" + code + "m" + word + "\x1b[0m"
}
