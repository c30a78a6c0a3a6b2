package cli

import (
	"io"
	"strings"
	"unicode/utf8"
)

// columns prints rows of text aligned below one another.
type columns struct {
	out  io.Writer
	rows [][]string
}

func newTable(out io.Writer) *columns { return &columns{out: out} }

// row adds one; an empty cell is shown as a dash, unless nothing follows it.
func (c *columns) row(cells ...string) {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	shown := make([]string, len(cells))
	for i, cell := range cells {
		if shown[i] = cell; cell == "" {
			shown[i] = "-"
		}
	}
	c.rows = append(c.rows, shown)
}

// gap stands between two columns.
const gap = 3

// flush prints all rows; no line ends in blanks.
func (c *columns) flush() error {
	widths := c.widths()
	var text strings.Builder
	for _, row := range c.rows {
		for i, cell := range row {
			text.WriteString(cell)
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]+gap-utf8.RuneCountInString(cell)))
			}
		}
		text.WriteByte('\n')
	}
	_, err := io.WriteString(c.out, text.String())
	return err
}

func (c *columns) widths() map[int]int {
	widths := map[int]int{}
	for _, row := range c.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}
