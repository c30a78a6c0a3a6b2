package targets

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// selector is a label selector. Most ask for equal labels only, and those are
// compared as such: a fleet asks millions of times.
type selector struct {
	labels.Selector
	// equal are the labels asked for, if nothing else is.
	equal []label
	exact bool
}

type label struct{ key, value string }

// compileSelector keeps absent (nil) apart from empty, which selects everything.
func compileSelector(from *metav1.LabelSelector) (*selector, error) {
	if from == nil {
		return nil, nil
	}
	compiled, err := metav1.LabelSelectorAsSelector(from)
	if err != nil {
		return nil, err
	}
	s := &selector{Selector: compiled}
	s.equal, s.exact = equals(compiled)
	return s, nil
}

// everything selects what has any labels or none.
func everything() *selector { return &selector{Selector: labels.Everything(), exact: true} }

func equals(s labels.Selector) (equal []label, only bool) {
	requirements, selectable := s.Requirements()
	if !selectable {
		return nil, false
	}
	for _, r := range requirements {
		switch r.Operator() {
		case selection.In, selection.Equals, selection.DoubleEquals:
		default:
			return nil, false
		}
		if r.Values().Len() != 1 {
			return nil, false
		}
		equal = append(equal, label{r.Key(), r.Values().UnsortedList()[0]})
	}
	return equal, true
}

// selects tells whether labels meet the selector.
func (s *selector) selects(have map[string]string) bool {
	if !s.exact {
		return s.Matches(labels.Set(have))
	}
	for _, want := range s.equal {
		if value, ok := have[want.key]; !ok || value != want.value {
			return false
		}
	}
	return true
}
