package distribution

import (
	"slices"
	"sync"

	"github.com/muster-dev/muster/internal/renderer"
)

// factBook numbers what clusters are capable of: clusters of one number give
// the same answers, so that a fleet is asked as often as it differs.
type factBook struct {
	mu      sync.Mutex // guards the maps
	seen    map[string]capabilities
	classes map[string]int // by digest
	last    int            // no number is given twice
}

// capabilities are a cluster's facts but its labels, and their number.
type capabilities struct {
	version string
	apis    []string
	class   int
}

// maxClasses bounds what is remembered; a full book starts anew.
const maxClasses = 100_000

// class returns a cluster's number. Only facts that changed are looked at.
func (b *factBook) class(cluster string, f renderer.Facts) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, ok := b.seen[cluster]
	if ok && known.version == f.KubeVersion && sameList(known.apis, f.APIVersions) {
		return known.class
	}
	if b.seen == nil || len(b.classes) >= maxClasses {
		b.seen, b.classes = map[string]capabilities{}, map[string]int{}
	}
	digest := factsDigest(renderer.Facts{KubeVersion: f.KubeVersion, APIVersions: f.APIVersions})
	class, ok := b.classes[digest]
	if !ok {
		b.last++
		class = b.last
		b.classes[digest] = class
	}
	b.seen[cluster] = capabilities{f.KubeVersion, f.APIVersions, class}
	return class
}

// sameList compares lists that mostly are one list of a cache.
func sameList(a, b []string) bool {
	if len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] {
		return true
	}
	return slices.Equal(a, b)
}

// asksLabels tells whether any of the questions is about labels, which two
// clusters seldom share.
func asksLabels(answers map[string]string) bool {
	some := renderer.Facts{Labels: map[string]string{"some": "label"}}
	for question := range answers {
		if some.Answer(question) != (renderer.Facts{}).Answer(question) {
			return true
		}
	}
	return false
}

// asker answers questions about one cluster, each once.
func asker(f renderer.Facts) func(question string) string {
	answers := map[string]string{}
	return func(question string) string {
		answer, ok := answers[question]
		if !ok {
			answer = f.Answer(question)
			answers[question] = answer
		}
		return answer
	}
}
