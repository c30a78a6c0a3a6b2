package bundle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// need is an entry of dependsOn with where it stands.
type need struct {
	v1alpha1.Dependency
	at Position
}

// dependent is a bundle that waits for others.
type dependent struct {
	name   string
	path   string
	labels map[string]string
	needs  []need
}

// notice remembers a bundle that waits for others. One without dependencies, or
// whose name is in doubt, can be in no cycle that is certain.
func (l *loader) notice(name, dir string, out outcome) {
	if len(out.needs) > 0 && !out.unnamed {
		l.dependents = append(l.dependents, dependent{name: name, path: dir, labels: out.labels, needs: out.needs})
	}
}

// refuseCycles breaks the bundles that wait for each other, or for themselves:
// none of them could ever be deployed. Of bundles that were not read nothing is said.
func (l *loader) refuseCycles() {
	if len(l.dependents) == 0 {
		return
	}
	cyclic := map[string]bool{}
	for _, cycle := range newWaits(l.dependents).cycles() {
		d := l.dependents[cycle[0].bundle]
		p := errorAt(d.needs[cycle[0].need].at, CodeDependencyCycle, fmt.Sprintf("dependsOn[%d]: %s", cycle[0].need, l.tellCycle(cycle)))
		p.Bundle = d.name
		l.problem(p)
		cyclic[d.name] = true
		l.result.Broken = append(l.result.Broken, d.name)
		l.brokenPaths = append(l.brokenPaths, d.path)
	}
	l.result.Bundles = slices.DeleteFunc(l.result.Bundles, func(b Bundle) bool { return cyclic[b.Name] })
}

// maxTold bounds the members of a cycle that a message names.
const maxTold = 8

func (l *loader) tellCycle(cycle []wait) string {
	first := l.dependents[cycle[0].bundle].name
	if len(cycle) == 1 {
		return first + " waits for itself; it could never be deployed"
	}
	var text strings.Builder
	text.WriteString(first + " waits")
	for i, w := range cycle {
		if i == maxTold && len(cycle) > maxTold+1 {
			fmt.Fprintf(&text, ", and so on over %d more", len(cycle)-maxTold)
			break
		}
		if i > 0 {
			text.WriteString(", " + l.dependents[w.bundle].name)
		}
		text.WriteString(" for " + l.dependents[cycle[(i+1)%len(cycle)].bundle].name)
	}
	return text.String() + "; none of them could ever be deployed"
}
