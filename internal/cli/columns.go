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

// row adds one.
func (c *columns) row(cells ...string) { c.rows = append(c.rows, shownCells(cells...)) }

// shownCells shows an empty cell as a dash, unless nothing follows it.
func shownCells(cells ...string) []string {
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	shown := make([]string, len(cells))
	for i, cell := range cells {
		if shown[i] = cell; cell == "" {
			shown[i] = "-"
		}
	}
	return shown
}

// flush prints all rows.
func (c *columns) flush() error {
	widths := widths{}
	for _, row := range c.rows {
		widths.fit(row)
	}
	var text strings.Builder
	for _, row := range c.rows {
		text.WriteString(widths.line(row))
	}
	_, err := io.WriteString(c.out, text.String())
	return err
}

// gap stands between two columns.
const gap = 3

// widths of columns, by their place.
type widths map[int]int

// fit widens columns for a row.
func (w widths) fit(row []string) {
	for i, cell := range row {
		w[i] = max(w[i], utf8.RuneCountInString(cell))
	}
}

// line is a row in its columns; it does not end in blanks.
func (w widths) line(row []string) string {
	var text strings.Builder
	for i, cell := range row {
		text.WriteString(cell)
		if i < len(row)-1 {
			text.WriteString(strings.Repeat(" ", w[i]+gap-utf8.RuneCountInString(cell)))
		}
	}
	return text.String() + "\n"
}
