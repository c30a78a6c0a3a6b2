package targets

import (
	"errors"
	"math"
	"strings"

	"github.com/muster-dev/muster/pkg/bundle"
)

// Explain decides as Resolve does and says why: every rule looked at in its
// order, the terms that failed, and what would change a negative answer.
func (c *Compiled) Explain(cl Cluster, g *Groups) Match {
	t := &tracer{}
	var m Match
	c.resolve(&m, &cl, g, t)
	m.Trace = t.steps
	var denied *Denied
	switch {
	case m.Matched:
	case errors.As(m.Err, &denied):
		m.WouldMatchIf = c.wouldAllow()
	case m.Err != nil:
	case len(t.denying) > 0:
		m.WouldMatchIf = strings.Join(t.denying, " and ") + " did not say doNotDeploy"
	default:
		if m.WouldMatchIf = t.needs; m.WouldMatchIf == "" && len(c.targets) == 0 {
			m.WouldMatchIf = "it had a target such as clusterSelector: {}"
		}
		if t.nearest != "" {
			m.Reason += ": " + t.nearest
		}
	}
	return m
}

// The results of steps.
const (
	resultMatch   = "match"
	resultNoMatch = "no match"
	resultError   = "error"
	resultNext    = "would match next"
	resultAllowed = "allowed"
	resultDenied  = "denied"
	resultLater   = "decided on the cluster"
)

// tracer writes down what resolve looks at; a nil one does nothing.
type tracer struct {
	steps []Step
	// nearest is the failing rule closest to matching, needs what it lacks.
	nearest, needs string
	missing        int
	// denying are the rules taken that say doNotDeploy.
	denying []string
}

func (t *tracer) add(rule string, where bundle.Position, result string) *Step {
	t.steps = append(t.steps, Step{Step: len(t.steps) + 1, Rule: rule, File: where.File, Line: where.Line, Result: result})
	return &t.steps[len(t.steps)-1]
}

func (t *tracer) note(rule string, where bundle.Position, result string) {
	if t != nil {
		t.add(rule, where, result)
	}
}

// rule writes down one entry of targets, restrictions or customizations.
func (t *tracer) rule(r *rule, kind string, cl *Cluster, g *Groups, ok bool, err error) {
	if t == nil {
		return
	}
	s := t.add(kind+" "+r.label, r.where, outcome(r, kind, ok, err))
	switch {
	case err != nil:
		s.Got = err.Error()
	case ok:
		s.Term, s.Got = r.criteria.String(), "all hold"
		t.passed()
		if r.denies(kind) {
			t.denying = append(t.denying, r.label)
		}
	default:
		failed := r.failing(cl, g)
		s.fail(failed)
		// A customization that fails withholds nothing, and a target that denies grants nothing.
		if kind != kindCustomization && !r.denies(kind) {
			t.near(failed, r.label)
		}
	}
}

// next names the entry that would decide if the ones before it did not.
func (t *tracer) next(rest []rule, kind string, cl *Cluster, g *Groups) {
	if t == nil {
		return
	}
	for i := range rest {
		if ok, err := rest[i].match(cl, g); err != nil || !ok {
			continue
		}
		s := t.add(kind+" "+rest[i].label, rest[i].where, resultNext)
		s.Term, s.Got = rest[i].criteria.String(), "all hold, and an earlier "+kind+" was taken"
		if rest[i].denies(kind) {
			s.Result += ", doNotDeploy"
		}
		return
	}
}

// near keeps the rule that lacks least, the first of equals.
func (t *tracer) near(failed []failing, label string) {
	missing := len(failed)
	if failed[0] == noCriteria() { // further from matching than any other
		missing = math.MaxInt
	}
	if t.nearest == "" || missing < t.missing {
		t.nearest, t.needs, t.missing = joinTerms(failed), joinWants(failed)+" ("+label+")", missing
	}
}

// passed forgets what failed before: it no longer matters.
func (t *tracer) passed() { t.nearest, t.needs, t.missing = "", "", 0 }

// fail writes down one failing term, or all of them side by side.
func (s *Step) fail(failed []failing) {
	var terms, got []string
	for _, f := range failed {
		terms, got = append(terms, f.term), append(got, f.got)
	}
	s.Term, s.Got, s.Want = strings.Join(terms, ", "), strings.Join(got, ", "), joinWants(failed)
}

// The kinds of rules, as steps name them.
const (
	kindTarget        = "target"
	kindRestriction   = "restriction"
	kindCustomization = "customization"
)

// denies tells whether a match here means no deployment; a restriction never does.
func (r *rule) denies(kind string) bool { return r.doNotDeploy && kind != kindRestriction }

func outcome(r *rule, kind string, ok bool, err error) string {
	switch {
	case err != nil:
		return resultError
	case ok && r.denies(kind):
		return resultMatch + ", doNotDeploy"
	case ok:
		return resultMatch
	}
	return resultNoMatch
}
