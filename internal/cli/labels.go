package cli

import (
	"maps"
	"slices"
	"strings"
)

// labelText prints labels as people type them, sorted.
func labelText(labels map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}
