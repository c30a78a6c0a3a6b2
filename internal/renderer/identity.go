package renderer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// Identity is the digest of an item with volatile values blanked: it says
// whether anything changed that somebody wrote. It equals the id when nothing
// is volatile.
func Identity(item content.Item) (content.ID, error) {
	blanked := item
	blanked.Objects = slices.Clone(item.Objects)
	for i, o := range blanked.Objects {
		if len(o.Volatile) == 0 {
			continue
		}
		data, err := blank(o)
		if err != nil {
			return "", fmt.Errorf("identity of bundle %s: %s: %w", item.Bundle, o.Key, err)
		}
		blanked.Objects[i].Manifest = data
	}
	_, id, err := blanked.Encode()
	return id, err
}

func blank(o content.Object) (json.RawMessage, error) {
	var body any
	if err := manifest.DecodeJSON(o.Manifest, &body); err != nil {
		return nil, err
	}
	for _, pointer := range o.Volatile {
		body = without(body, strings.Split(pointer, "/")[1:]) // "" is the whole
	}
	return json.Marshal(body)
}

// without returns v with null at the end of a path.
func without(v any, path []string) any {
	if len(path) == 0 {
		return nil
	}
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	switch v := v.(type) {
	case map[string]any:
		v[key] = without(v[key], path[1:])
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v) {
			v[i] = without(v[i], path[1:])
		}
	}
	return v
}
