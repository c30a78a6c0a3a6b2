package diff

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Operation says what happened to a field.
type Operation string

// The operations.
const (
	Changed Operation = "changed"
	Removed Operation = "removed"
)

// Change is one desired field that is not as desired.
type Change struct {
	Path      string
	Operation Operation
	// Desired and Live are JSON texts, masked for Secrets; Live is empty if the field is gone.
	Desired, Live string
	// Manager owns the field now; empty if nobody does.
	Manager string
}

// String reads like `spec.replicas: want 3, is 5 (kubectl-edit)`.
func (c Change) String() string {
	s := fmt.Sprintf("%s: want %s, is %s", c.Path, c.Desired, c.Live)
	if c.Operation == Removed {
		s = fmt.Sprintf("%s: want %s, is gone", c.Path, c.Desired)
	}
	if c.Manager != "" {
		s += " (" + c.Manager + ")"
	}
	return s
}

// maxChanges bounds the changes of one object, maxValue the text of one value in bytes.
const (
	maxChanges = 20
	maxValue   = 120
)

// Compare explains how live differs from desired, field by field, sorted by
// path and at most 20: fields of desired that live lacks or holds with another
// value and that manager does not own any more. The status is left out.
// mask keys the digests that stand for values of Secrets.
func Compare(desired, live map[string]any, manager string, mask []byte) []Change {
	c := comparer{owned: ownedPaths(live, manager), owners: owners(live, manager), secret: desired["kind"] == "Secret" && desired["apiVersion"] == "v1", mask: mask}
	for _, k := range slices.Sorted(maps.Keys(desired)) {
		if k != "status" && k != "apiVersion" && k != "kind" {
			c.walk(k, desired[k], at(live, k), 0)
		}
	}
	return c.changes
}

type comparer struct {
	owned   map[string]bool
	owners  map[string]string
	secret  bool
	mask    []byte
	changes []Change
}

type optional struct {
	value   any
	present bool
}

func at(m map[string]any, k string) optional {
	v, ok := m[k]
	return optional{v, ok}
}

// walk compares below one path. A list is compared whole: its items have no
// names here, and a report that shows both texts is enough for a person.
func (c *comparer) walk(path string, want any, live optional, depth int) {
	if len(c.changes) == maxChanges || depth > maxDepth || c.owned[path] && live.present && same(want, live.value) {
		return
	}
	if m, ok := want.(map[string]any); ok {
		l, _ := live.value.(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			c.walk(path+"."+k, m[k], at(l, k), depth+1)
		}
		return
	}
	if live.present && (c.owned[path] || covers(want, live.value)) {
		return
	}
	c.add(path, want, live)
}

// covers tells whether live holds everything of want: equal scalars, and for
// lists and objects at least what is wanted, since the server adds defaults.
func covers(want, live any) bool {
	switch w := want.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range w {
			if !covers(v, l[k]) {
				return false
			}
		}
		return true
	case []any:
		return coversList(w, live)
	}
	return same(want, live)
}

func coversList(want []any, live any) bool {
	l, ok := live.([]any)
	if !ok || len(l) < len(want) {
		return false
	}
	for i := range want {
		if !slices.ContainsFunc(l, func(v any) bool { return covers(want[i], v) }) {
			return false
		}
	}
	return true
}

func (c *comparer) add(path string, want any, live optional) {
	change := Change{Path: path, Operation: Changed, Desired: c.show(path, want), Manager: c.owners[path]}
	if live.present {
		change.Live = c.show(path, live.value)
	} else {
		change.Operation = Removed
	}
	c.changes = append(c.changes, change)
}

// show is the text of a value: of a Secret's data only a keyed digest, so that
// equal values look equal and nothing can be guessed.
func (c *comparer) show(path string, v any) string {
	s := canonical(v)
	if c.secret && (strings.HasPrefix(path, "data") || strings.HasPrefix(path, "stringData")) {
		h := hmac.New(sha256.New, c.mask)
		h.Write([]byte(s)) // never fails, as hash.Hash promises
		return "hmac:" + hex.EncodeToString(h.Sum(nil)[:6])
	}
	if len(s) > maxValue {
		return strings.ToValidUTF8(s[:maxValue-3], "") + "..."
	}
	return s
}

// ownedPaths are the leaf paths that manager still owns by apply.
func ownedPaths(live map[string]any, manager string) map[string]bool {
	fields, _ := Owned(live, manager)
	paths := make(map[string]bool, len(fields))
	for _, f := range fields {
		paths[f.Path] = true
	}
	return paths
}

// owners names who else owns a leaf path now.
func owners(live map[string]any, manager string) map[string]string {
	paths := map[string]string{}
	for _, entry := range managed(live) {
		name := text(entry["manager"])
		set, ok := entry["fieldsV1"].(map[string]any)
		if !ok || name == manager && entry["operation"] == "Apply" {
			continue
		}
		for _, f := range collect(nil, set, live, "", 0) {
			paths[f.Path] = name
		}
	}
	return paths
}
