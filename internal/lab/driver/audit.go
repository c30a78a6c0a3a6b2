package driver

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Event is one line of an audit log, as far as anybody here looks.
type Event struct {
	Stage            string
	RequestURI       string
	Verb             string
	UserAgent        string
	User             struct{ Username string }
	ImpersonatedUser *struct{ Username string }
	ObjectRef        *struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	}
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
}

// Key of the object: resource[.group][/subresource]/namespace/name.
func (e Event) Key() string {
	o := e.ObjectRef
	if o == nil {
		return e.RequestURI
	}
	resource, namespace := o.Resource, o.Namespace
	if resource == "namespaces" {
		namespace = "" // the log puts a namespace into itself
	}
	if o.APIGroup != "" {
		resource += "." + o.APIGroup
	}
	if o.Subresource != "" {
		resource += "/" + o.Subresource
	}
	return strings.Join([]string{resource, namespace, o.Name}, "/")
}

// Writes says whether the request was meant to change something.
func (e Event) Writes() bool {
	switch e.Verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	default:
		return false
	}
}

// Deletes says whether the request was meant to delete something.
func (e Event) Deletes() bool { return e.Verb == "delete" || e.Verb == "deletecollection" }

// Mark is a moment in every audit log: how far each had come.
type Mark map[string]int64

// Mark remembers where all audit logs end now.
func (d *Demo) Mark() (Mark, error) {
	contract, err := d.Contract()
	if err != nil {
		return nil, err
	}
	mark := Mark{}
	for name, path := range contract.Audit {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("mark audit log: %w", err)
		}
		mark[name] = info.Size()
	}
	return mark, nil
}

// Audit returns what each API server saw since mark; requests once, at their
// end, watches at their start.
func (d *Demo) Audit(mark Mark) (map[string][]Event, error) {
	contract, err := d.Contract()
	if err != nil {
		return nil, err
	}
	all := map[string][]Event{}
	for name, path := range contract.Audit {
		if all[name], err = readAudit(path, mark[name]); err != nil {
			return nil, fmt.Errorf("read audit log of %s: %w", name, err)
		}
	}
	return all, nil
}

func readAudit(path string, from int64) ([]Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(max(0, from-1), io.SeekStart); err != nil {
		return nil, err
	}
	var events []Event
	lines := bufio.NewReaderSize(f, 1<<16)
	if from > 0 {
		// The server may have been writing a line at the mark: what is left of it is skipped.
		if _, err := lines.ReadBytes('\n'); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil // a last line without its end is still being written
		}
		if err != nil {
			return nil, err
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		if (e.Verb == "watch") == (e.Stage == "ResponseStarted") {
			events = append(events, e)
		}
	}
}
