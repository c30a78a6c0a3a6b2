package manifest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/content"
)

// Annotations of Helm's hooks.
const (
	annotationHook       = "helm.sh/hook"
	annotationHookWeight = "helm.sh/hook-weight"
	annotationHookDelete = "helm.sh/hook-delete-policy"
)

// hookEventNames are the events Helm knows, tests left out: a test is run on
// request, never by applying.
var hookEventNames = setOf("pre-install", "post-install", "pre-delete", "post-delete", "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback")

var testEvents = setOf("test", "test-success", "test-failure")

// IsHook tells whether Helm would run the object as a hook, or leave it out as a test.
func (o *Object) IsHook() bool {
	hook, dropped := o.hook()
	return hook != nil || dropped
}

// hook reads an object's hook annotations. It returns nil for an ordinary
// object, and dropped for one that Helm would not install either: a test, or a
// hook with an event nobody knows.
func (o *Object) hook() (hook *content.Hook, dropped bool) {
	text := o.annotation(annotationHook)
	if text == "" || o.Plain {
		return nil, false
	}
	h := content.Hook{DeletePolicies: commaList(o.annotation(annotationHookDelete))}
	for _, event := range commaList(text) {
		switch {
		case hookEventNames[event]:
			h.Events = append(h.Events, event)
		case !testEvents[event]:
			return nil, true
		}
	}
	// As Helm does: a weight that is no number is 0.
	if weight, err := strconv.Atoi(o.annotation(annotationHookWeight)); err == nil {
		h.Weight = weight
	}
	slices.Sort(h.Events)
	h.Events = slices.Compact(h.Events)
	return &h, len(h.Events) == 0
}

// commaList splits a list in an annotation, as Helm does: case and space do not count.
func commaList(text string) []string {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.ToLower(strings.TrimSpace(item)); item != "" {
			list = append(list, item)
		}
	}
	return list
}
