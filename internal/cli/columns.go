package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// columns prints aligned text; an empty cell is a dash only between others.
type columns struct{ out *tabwriter.Writer }

func newTable(out io.Writer) columns { return columns{tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)} }

// row leaves trailing empty cells out, so that no line ends in blanks.
func (c columns) row(cells ...string) {
	last := len(cells)
	for last > 0 && cells[last-1] == "" {
		last--
	}
	for i, cell := range cells[:last] {
		if cell == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(c.out, strings.Join(cells[:last], "\t"))
}

func (c columns) flush() error { return c.out.Flush() }
