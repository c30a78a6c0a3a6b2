package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/printers"
)

// acceptTable asks the API server to lay out the CRD's printer columns itself.
const acceptTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

// printTable prints rows, or names only.
func (a *app) printTable(ctx context.Context, h *hub, q query) error {
	var table metav1.Table
	for _, name := range q.names {
		one, err := h.table(ctx, q, q.kind.path(q.namespace(h))+"/"+q.object(name))
		if err != nil {
			return err
		}
		one.Rows = append(table.Rows, one.Rows...)
		table = *one
	}
	if len(q.names) == 0 {
		all, err := h.table(ctx, q, q.kind.path(q.namespace(h)))
		if err != nil {
			return err
		}
		table = *all
	}
	if len(table.Rows) == 0 {
		a.nothing(h, q)
		return nil
	}
	return newTablePrinter(q).print(a.Out, &table)
}

// table asks for rows and keeps those of the workspace.
func (h *hub) table(ctx context.Context, q query, path string) (*metav1.Table, error) {
	data, err := body(h.client.Get().AbsPath(path).SetHeader("Accept", acceptTable).Param("includeObject", "Metadata").Do(ctx))
	if err != nil {
		return nil, h.explain("get", path, err)
	}
	return readTable(data, q)
}

func readTable(data []byte, q query) (*metav1.Table, error) {
	var table metav1.Table
	if err := json.Unmarshal(data, &table); err != nil {
		return nil, fmt.Errorf("read a table of %s: %w", q.kind.Plural, err)
	}
	if table.Kind != "Table" {
		return nil, fmt.Errorf("read a table of %s: the API server answered with a %s", q.kind.Plural, table.Kind)
	}
	rows := table.Rows[:0]
	for _, row := range table.Rows {
		var meta metav1.PartialObjectMetadata
		if err := json.Unmarshal(row.Object.Raw, &meta); err != nil {
			return nil, fmt.Errorf("read a row of %s: %w", q.kind.Plural, err)
		}
		if q.wants(meta.Name) {
			row.Object.Object = &meta
			rows = append(rows, row)
		}
	}
	table.Rows = rows
	return &table, nil
}

// tablePrinter prints tables below one another under one header.
type tablePrinter struct {
	query  query
	rows   printers.ResourcePrinter
	header []metav1.TableColumnDefinition
}

func newTablePrinter(q query) *tablePrinter {
	return &tablePrinter{query: q, rows: printers.NewTablePrinter(printers.PrintOptions{
		Wide: q.output == "wide", WithNamespace: q.workspace == "" && !q.kind.Machine,
	})}
}

func (p *tablePrinter) print(out io.Writer, table *metav1.Table) error {
	if p.query.output == "name" {
		return p.printNames(out, table)
	}
	// Rows of a watch come without column definitions.
	if len(table.ColumnDefinitions) == 0 {
		table.ColumnDefinitions = p.header
	}
	p.header = table.ColumnDefinitions
	table.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{Group: metav1.GroupName, Version: "v1", Kind: "Table"})
	if err := p.rows.PrintObj(table, out); err != nil {
		return fmt.Errorf("print %s: %w", p.query.kind.Plural, err)
	}
	return nil
}

func (p *tablePrinter) printNames(out io.Writer, table *metav1.Table) error {
	for _, row := range table.Rows {
		name, ok := rowName(row)
		if !ok {
			return errors.New("print names: a row without an object")
		}
		if _, err := fmt.Fprintln(out, p.query.kind.label(name)); err != nil {
			return err
		}
	}
	return nil
}

// rowName is the name of the object a row stands for.
func rowName(row metav1.TableRow) (string, bool) {
	meta, ok := row.Object.Object.(*metav1.PartialObjectMetadata)
	if !ok {
		return "", false
	}
	return meta.Name, true
}
