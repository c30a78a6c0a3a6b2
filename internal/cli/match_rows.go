package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/muster-dev/muster/pkg/targets"
)

// matching prints the decisions of a fleet, a stretch of rows after the other: a
// large fleet has millions of pairs, and none of them is kept.
type matching struct {
	fleet *fleet
	out   *bufio.Writer
	// failed tells that a row has an error.
	failed bool
}

// stretch is one bundle and some of the clusters, in the order of rows.
type stretch struct {
	// decide is one row in full; shape is its table cells but for the last.
	decide, shape func(targets.Cluster) pair
	clusters      []targets.Cluster
}

// stretchLength is how many rows are decided and printed at a time.
const stretchLength = 256

// stretches go through all rows by bundle, workspace and cluster.
func (f *fleet) stretches() iter.Seq[stretch] {
	clusters := slices.SortedFunc(slices.Values(f.inventory.clusters), func(x, y targets.Cluster) int {
		return cmp.Or(cmp.Compare(x.Workspace, y.Workspace), cmp.Compare(x.Name, y.Name))
	})
	return func(yield func(stretch) bool) {
		for _, one := range f.rulings() {
			for some := range slices.Chunk(clusters, stretchLength) {
				if !yield(stretch{one.decide, one.shape, some}) {
					return
				}
			}
		}
	}
}

// ruling decides about one bundle; what it needs for that is made once.
type ruling struct {
	name          string
	decide, shape func(targets.Cluster) pair
}

// rulings are those of all bundles by name, also of broken ones.
func (f *fleet) rulings() []ruling {
	var all []ruling
	for i := range f.read.Bundles {
		b := &f.read.Bundles[i]
		compiled := sync.OnceValue(func() targeting { return f.targeting(b) })
		all = append(all, ruling{
			name:   b.Name,
			decide: func(c targets.Cluster) pair { return pairOf(b, compiled().reasoned(c).Match) },
			shape:  func(c targets.Cluster) pair { return pairOf(b, compiled().resolve(c).Match) },
		})
	}
	for _, name := range f.read.Broken {
		row := sync.OnceValue(func() pair { return f.brokenPair(name) })
		decide := func(c targets.Cluster) pair { return row().on(c) }
		all = append(all, ruling{name: name, decide: decide, shape: decide})
	}
	slices.SortStableFunc(all, func(x, y ruling) int { return cmp.Compare(x.name, y.name) })
	return all
}

// printed is what came of a stretch.
type printed struct {
	text   []byte
	failed bool
	err    error
}

// printRows prints every row by itself, and hands the text of a stretch to write.
func (m *matching) printRows(ctx context.Context, print func(*bytes.Buffer, pair) error, write func([]byte) error) error {
	do := func(_ context.Context, s stretch) printed {
		var p printed
		var text bytes.Buffer
		for _, c := range s.clusters {
			row := s.decide(c)
			p.failed = p.failed || row.Error != ""
			if err := print(&text, row); err != nil {
				return printed{err: err}
			}
		}
		p.text = text.Bytes()
		return p
	}
	return inOrder(ctx, aheadOfPrint(), m.fleet.stretches(), do, func(p printed) error {
		m.failed = m.failed || p.failed
		return cmp.Or(p.err, write(p.text))
	})
}

// aheadOfPrint is how many stretches are decided at once.
func aheadOfPrint() int { return 2 * runtime.GOMAXPROCS(0) }

// printJSON prints {"matches": [...]} as printValue would.
func (m *matching) printJSON(ctx context.Context) error {
	print := func(text *bytes.Buffer, row pair) error {
		text.WriteString(",\n        ")
		encoder := json.NewEncoder(text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("        ", "    ")
		err := encoder.Encode(row)
		text.Truncate(text.Len() - 1) // what follows ends the line
		return err
	}
	before, after := "{\n    \"matches\": [", "]\n}\n"
	err := m.printRows(ctx, print, func(text []byte) error {
		if before != "" {
			m.out.WriteString(before)
			before, after, text = "", "\n    "+after, text[1:]
		}
		_, err := m.out.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	m.out.WriteString(before + after)
	return m.out.Flush()
}

// cells are a row of the table.
func (p pair) cells(because string) []string {
	return []string{p.Bundle, p.clusterName(), p.answer(), p.Target, strings.Join(p.Customizations, ","), because}
}

// printTable looks at every row twice: for the widths of columns, and to print it.
func (m *matching) printTable(ctx context.Context) error {
	header := shownCells("BUNDLE", "CLUSTER", "DEPLOYED", "TARGET", "CUSTOMIZATIONS", "BECAUSE")
	widths, err := m.widths(ctx)
	if err != nil || len(widths) == 0 {
		return err
	}
	widths.fit(header)
	m.out.WriteString(widths.line(header))
	print := func(text *bytes.Buffer, row pair) error {
		text.WriteString(widths.line(shownCells(row.cells(row.because())...)))
		return nil
	}
	err = m.printRows(ctx, print, func(text []byte) error {
		_, err := m.out.Write(text)
		return err
	})
	return cmp.Or(err, m.out.Flush())
}

// widths of all rows; empty if there is none.
func (m *matching) widths(ctx context.Context) (widths, error) {
	all := widths{}
	measure := func(_ context.Context, s stretch) widths {
		some := widths{}
		for _, c := range s.clusters {
			some.fit(shownCells(s.shape(c).cells("")...))
		}
		return some
	}
	err := inOrder(ctx, aheadOfPrint(), m.fleet.stretches(), measure, func(some widths) error {
		for i, width := range some {
			all[i] = max(all[i], width)
		}
		return nil
	})
	return all, err
}
