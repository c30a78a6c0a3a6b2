package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// watchRetry is how long a watch that ended waits before it lists again.
const watchRetry = time.Second

// watch prints the rows there are, then each that changes, until interrupted.
func (a *app) watch(ctx context.Context, h *hub, q query) error {
	printer := newTablePrinter(q)
	shown := map[string]string{} // uid -> resourceVersion printed last
	for {
		version, err := a.printNew(ctx, h, q, printer, shown)
		if err != nil {
			return err
		}
		if err := a.follow(ctx, h, q, version, printer, shown); err != nil {
			return err
		}
		// API servers end watches after some minutes; what was missed shows in the next list.
		if err := pause(ctx, watchRetry); err != nil {
			return err
		}
	}
}

// printNew prints the rows that were not shown in this version before.
func (a *app) printNew(ctx context.Context, h *hub, q query, printer *tablePrinter, shown map[string]string) (string, error) {
	path := q.kind.path(q.namespace(h))
	table, err := h.listFor(ctx, q, path)
	if err != nil {
		return "", err
	}
	fresh := table.Rows[:0]
	for _, row := range table.Rows {
		if remember(shown, row) {
			fresh = append(fresh, row)
		}
	}
	table.Rows = fresh
	if len(fresh) == 0 {
		return table.ResourceVersion, nil
	}
	return table.ResourceVersion, printer.print(a.Out, table)
}

// listFor lists everything or the one name asked for.
func (h *hub) listFor(ctx context.Context, q query, path string) (*metav1.Table, error) {
	request := h.client.Get().AbsPath(path).SetHeader("Accept", acceptTable).Param("includeObject", "Metadata")
	if len(q.names) == 1 {
		request = request.Param("fieldSelector", "metadata.name="+q.object(q.names[0]))
	}
	data, err := body(request.Do(ctx))
	if err != nil {
		return nil, h.explain("list", path, err)
	}
	return readTable(data, q)
}

// remember tells whether a row is new in this version, and notes it.
func remember(shown map[string]string, row metav1.TableRow) bool {
	meta, ok := row.Object.Object.(*metav1.PartialObjectMetadata)
	if !ok || shown[string(meta.UID)] == meta.ResourceVersion {
		return false
	}
	shown[string(meta.UID)] = meta.ResourceVersion
	return true
}

// follow prints the events of one watch; it returns nil when the server ends it.
func (a *app) follow(ctx context.Context, h *hub, q query, version string, printer *tablePrinter, shown map[string]string) error {
	path := q.kind.path(q.namespace(h))
	request := h.client.Get().AbsPath(path).SetHeader("Accept", acceptTable).
		Param("includeObject", "Metadata").Param("watch", "1").Param("resourceVersion", version)
	if len(q.names) == 1 {
		request = request.Param("fieldSelector", "metadata.name="+q.object(q.names[0]))
	}
	stream, err := request.Stream(ctx)
	if err != nil {
		return h.explain("watch", path, err)
	}
	defer stream.Close()
	events := json.NewDecoder(stream)
	for {
		err := a.printEvent(events, q, printer, shown)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errWatchEnded):
			return nil
		case err != nil:
			return h.explain("watch", path, err)
		}
	}
}

// errWatchEnded asks for a new list: the stream is over or too old.
var errWatchEnded = errors.New("the watch ended")

func (a *app) printEvent(events *json.Decoder, q query, printer *tablePrinter, shown map[string]string) error {
	var event struct {
		Type   string          `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if err := events.Decode(&event); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errWatchEnded
		}
		return fmt.Errorf("read an event: %w", err)
	}
	switch event.Type {
	case "ERROR":
		return errWatchEnded
	case "BOOKMARK":
		return nil
	}
	table, err := readTable(event.Object, q)
	if err != nil {
		return err
	}
	for _, row := range table.Rows {
		remember(shown, row)
	}
	if len(table.Rows) == 0 {
		return nil
	}
	return printer.print(a.Out, table)
}
