package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"k8s.io/client-go/rest"
)

// pageSize is how many objects one page of a list holds.
const pageSize = 250

// ListOptions narrow a list.
type ListOptions struct {
	Selector string
	// Metadata asks for metadata only.
	Metadata bool
	// Pages bounds how many pages are read; 0 = all.
	Pages int
	// Limit replaces the page size.
	Limit int
	// Cached allows an answer from the API server's watch cache.
	Cached bool
}

// Count returns how many objects there are, by one short list.
func (c *Client) Count(ctx context.Context, path string) (int, error) {
	p, err := c.page(ctx, path, ListOptions{Metadata: true, Limit: 1}, "")
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", path, err)
	}
	return len(p.Items) + p.Metadata.RemainingItemCount, nil
}

type page struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
		// RemainingItemCount is how many objects follow; absent with a selector.
		RemainingItemCount int `json:"remainingItemCount"`
	} `json:"metadata"`
	Items []json.RawMessage `json:"items"`
}

// List calls each with every object, page by page, and returns the resource
// version of the list. complete is false if pages were left out.
func (c *Client) List(ctx context.Context, path string, o ListOptions, each func(json.RawMessage) error) (revision string, complete bool, err error) {
	next := ""
	for n := 1; ; n++ {
		p, err := c.page(ctx, path, o, next)
		if err != nil {
			return "", false, fmt.Errorf("list %s: %w", path, err)
		}
		for _, item := range p.Items {
			if err := each(item); err != nil {
				return "", false, err
			}
		}
		if revision == "" {
			revision = p.Metadata.ResourceVersion
		}
		if next = p.Metadata.Continue; next == "" {
			return revision, true, nil
		}
		if o.Pages > 0 && n >= o.Pages {
			return revision, false, nil
		}
	}
}

func (c *Client) page(ctx context.Context, path string, o ListOptions, next string) (*page, error) {
	r := c.own.Get().AbsPath(path).Param("labelSelector", o.Selector)
	o.bound(r, next)
	if o.Metadata {
		r.SetHeader("Accept", metadataListOnly)
	}
	data, err := do(ctx, r)
	if err != nil {
		return nil, err
	}
	p := &page{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return p, nil
}

func (o ListOptions) bound(r *rest.Request, next string) {
	limit := pageSize
	if o.Limit > 0 {
		limit = o.Limit
	}
	r.Param("limit", strconv.Itoa(limit))
	switch {
	case next != "":
		r.Param("continue", next)
	case o.Cached:
		r.Param("resourceVersion", "0")
	}
}
