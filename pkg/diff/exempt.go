package diff

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Object names an object for exemptions.
type Object struct{ Group, Kind, Namespace, Name string }

// Exemptions are compare patches, ready to be matched.
type Exemptions []exemption

type exemption struct {
	v1alpha1.ComparePatch
	group string
	name  *regexp.Regexp // nil if the text is none: then it is a plain name
}

// NewExemptions compiles compare patches. What a patch does not say matches
// everything; a name is taken as a name or a regular expression for all of it.
func NewExemptions(patches []v1alpha1.ComparePatch) Exemptions {
	list := make(Exemptions, 0, len(patches))
	for _, p := range patches {
		e := exemption{ComparePatch: p}
		if group, _, ok := strings.Cut(p.APIVersion, "/"); ok {
			e.group = group
		}
		if re, err := regexp.Compile("^(?:" + p.Name + ")$"); err == nil {
			e.name = re
		}
		list = append(list, e)
	}
	return list
}

func (e exemption) matches(o Object) bool {
	switch {
	case e.APIVersion != "" && e.group != o.Group,
		e.Kind != "" && e.Kind != o.Kind,
		e.Namespace != "" && e.Namespace != o.Namespace:
		return false
	}
	return e.Name == "" || e.Name == o.Name || e.name != nil && e.name.MatchString(o.Name)
}

// Whole tells whether the object is left out of drift altogether.
func (l Exemptions) Whole(o Object) bool {
	for i := range l {
		for _, op := range l[i].Operations {
			if op.Op == "ignore" && l[i].matches(o) {
				return true
			}
		}
	}
	return false
}

// Strip takes what is exempt of the object out of desired: Compare then says
// nothing of it.
func (l Exemptions) Strip(o Object, desired map[string]any) {
	for i := range l {
		if !l[i].matches(o) {
			continue
		}
		for _, pointer := range l[i].JSONPointers {
			strip(desired, pointer)
		}
		for _, op := range l[i].Operations {
			if op.Op == "remove" {
				strip(desired, op.Path)
			}
		}
	}
}

// strip removes what a JSON pointer (RFC 6901) names, if it is there.
func strip(object map[string]any, pointer string) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return
	}
	path := strings.Split(rest, "/")
	for i := range path {
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(path[i])
	}
	without(object, path)
}

// without returns v without what is at the end of path.
func without(v any, path []string) any {
	switch v := v.(type) {
	case map[string]any:
		inner, ok := v[path[0]]
		switch {
		case !ok:
		case len(path) == 1:
			delete(v, path[0])
		default:
			v[path[0]] = without(inner, path[1:])
		}
	case []any:
		i, err := strconv.Atoi(path[0])
		switch {
		case err != nil || i < 0 || i >= len(v):
		case len(path) == 1:
			return append(v[:i:i], v[i+1:]...)
		default:
			v[i] = without(v[i], path[1:])
		}
	}
	return v
}
