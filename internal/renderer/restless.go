package renderer

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
	"github.com/muster-dev/muster/pkg/content"
)

// checkNames refuses objects whose names differ between two renders: they could
// never be found again. What it says is the same in every run, so it names no
// object.
func (j job) checkNames(first, second pass) error {
	if o, found := least(append(unmatched(first, second), unmatched(second, first)...)); found {
		return j.refuse(o.file, "/metadata/name", "%s of %s has another name or namespace, or is absent, when the chart is rendered again: names must not be made", o.kind, o.file)
	}
	if o, found := least(misplaced(first, second)); found {
		return j.refuse(o.file, "/metadata/annotations", "%s of %s is applied at another time when the chart is rendered again: waves and weights must not be made", o.kind, o.file)
	}
	return nil
}

// unnamed is an object by what is known of it in every run.
type unnamed struct{ kind, file string }

func anonymous(keys []content.Key, p pass) []unnamed {
	files := fileOfKeys(p.objects)
	list := make([]unnamed, len(keys))
	for i, key := range keys {
		_, kind, _, _ := key.Split()
		list[i] = unnamed{kind, files[key]}
	}
	return list
}

// unmatched are the objects of a that b lacks. Hooks may share a key.
func unmatched(a, b pass) []unnamed {
	left := map[content.Key]int{}
	for _, o := range b.finished {
		left[o.Key]++
	}
	var found []content.Key
	for _, o := range a.finished {
		if left[o.Key]--; left[o.Key] < 0 {
			found = append(found, o.Key)
		}
	}
	return anonymous(found, a)
}

// misplaced are the objects that are applied otherwise, or in whose place
// another stands.
func misplaced(a, b pass) []unnamed {
	var found []content.Key
	for i := range a.finished {
		x, y := a.finished[i], b.finished[i]
		if x.Key != y.Key || x.Wave != y.Wave || !reflect.DeepEqual(x.Hook, y.Hook) {
			found = append(found, x.Key)
		}
	}
	return anonymous(found, a)
}

// least is the one that is named of several.
func least(list []unnamed) (unnamed, bool) {
	if len(list) == 0 {
		return unnamed{}, false
	}
	return slices.MinFunc(list, func(a, b unnamed) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.file, b.file))
	}), true
}

// unkeepable refuses a value that differs where nothing can be kept: every
// render would change the cluster.
func (j job) unkeepable(key content.Key, file, pointer string) error {
	if pointer == "" {
		return j.refuse(file, pointer, "%s has other fields when the chart is rendered again, which cannot be kept on a cluster: they must not be made", key)
	}
	return j.refuse(file, pointer, "%s of %s differs when the chart is rendered again, and cannot be kept on a cluster: it must not be made", pointer, key)
}

// refuse says what must not be made, where, and by which function.
func (j job) refuse(file, pointer, format string, args ...any) error {
	fault := manifest.NewFault(file, 0, manifest.InvalidObject, format, args...)
	calls := j.callers().of(file, pointer)
	if len(calls) == 0 {
		fault.Message += " by chance"
		return fault
	}
	fault.File, fault.Line = calls[0].file, calls[0].line
	fault.Message += " by " + calls[0].function
	return fault
}
