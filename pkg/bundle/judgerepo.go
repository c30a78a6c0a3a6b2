package bundle

import "fmt"

// repoFaults says which bundles a fault in the GitRepo itself breaks. Its problem
// stands once, without a file, and not with each of its bundles.
type repoFaults struct {
	// targets breaks the bundles that have none of their own.
	targets bool
	// all breaks every bundle: what the GitRepo fixes for them cannot be.
	all bool
}

// judgeRepo looks at the fields of the GitRepo that go into its bundles.
func (l *loader) judgeRepo() {
	g := l.repo.Spec
	reject := func(broken *bool) rejecter {
		return func(key, format string, args ...any) {
			*broken = true
			l.problem(Problem{Severity: Error, Code: CodeInvalidValue, Message: key + ": " + fmt.Sprintf(format, args...)})
		}
	}
	for i, t := range g.Targets {
		judgeCriteria(t.Criteria, fmt.Sprintf("targets[%d].", i), reject(&l.faults.targets))
		if matchesNothing(t.Criteria) {
			l.problem(Problem{Severity: Warning, Code: CodeNoEffect, Message: fmt.Sprintf("targets[%d]", i) + withoutCriteria})
		}
	}
	if g.TargetNamespace != "" && !isNamespace(g.TargetNamespace) {
		reject(&l.faults.all)("targetNamespace", "%.80q is not the name of a namespace", g.TargetNamespace)
	}
	if g.ServiceAccount != "" && !isAccount(g.ServiceAccount) {
		reject(&l.faults.all)("serviceAccount", "%.80q is not the name of a service account", g.ServiceAccount)
	}
	if len(g.Bundles) > 0 && len(g.Paths) > 0 {
		l.problem(Problem{Severity: Warning, Code: CodeNoEffect, Message: "paths has no effect: bundles lists what is read"})
	}
}
