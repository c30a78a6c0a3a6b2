package cli

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

// codeSharedObject is one object in two bundles that one cluster gets.
const codeSharedObject = "SharedObject"

// holdings are what the clusters of a fleet are given, bundle by bundle. Most
// clusters are given the same: each set of objects is kept once.
type holdings struct {
	sets  []holding
	known map[[sha256.Size]byte]int
	// byCluster are indexes into sets, by the key of a cluster.
	byCluster map[string][]int
}

// holding is what a bundle owns alone where it is deployed.
type holding struct {
	bundle *bundle.Bundle
	keys   []content.Key
	files  map[content.Key]string
}

// add notes what a cluster is given of a bundle. What several bundles own
// together, and hooks, are no quarrel; what is decided elsewhere is not known.
func (h *holdings) add(m made) {
	if h.known == nil {
		h.known, h.byCluster = map[[sha256.Size]byte]int{}, map[string][]int{}
	}
	keys := m.item.Keys()
	digest := sha256.New()
	fmt.Fprintln(digest, m.bundle.Name)
	for _, key := range keys {
		fmt.Fprintln(digest, key)
	}
	id := [sha256.Size]byte(digest.Sum(nil))
	set, ok := h.known[id]
	if !ok {
		set = len(h.sets)
		h.known[id], h.sets = set, append(h.sets, holding{m.bundle, keys, m.item.Files})
	}
	cluster := m.decision.cluster.Key()
	h.byCluster[cluster] = append(h.byCluster[cluster], set)
}

// contested are the keys that sets of several bundles hold, by set.
func (h *holdings) contested() map[int][]content.Key {
	first, several := map[content.Key]*bundle.Bundle{}, map[content.Key]bool{}
	for _, set := range h.sets {
		for _, key := range set.keys {
			switch owner := first[key]; owner {
			case nil:
				first[key] = set.bundle
			case set.bundle:
			default:
				several[key] = true
			}
		}
	}
	contested := map[int][]content.Key{}
	for i, set := range h.sets {
		for _, key := range set.keys {
			if several[key] {
				contested[i] = append(contested[i], key)
			}
		}
	}
	return contested
}

// quarrel is what two bundles both hold on some clusters.
type quarrel struct {
	// keys and the sets that hold them where that was found first.
	keys     map[content.Key][2]holding
	clusters []string
}

// problems are one for each two bundles that hold the same object on a cluster.
func (h *holdings) problems() []v1alpha1.Problem {
	quarrels := map[[2]string]*quarrel{}
	contested := h.contested()
	for _, cluster := range slices.Sorted(maps.Keys(h.byCluster)) {
		h.quarrelsOn(cluster, contested, quarrels)
	}
	var problems []v1alpha1.Problem
	for _, names := range slices.SortedFunc(maps.Keys(quarrels), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		problems = append(problems, quarrels[names].problem())
	}
	return problems
}

// quarrelsOn adds those of one cluster.
func (h *holdings) quarrelsOn(cluster string, contested map[int][]content.Key, quarrels map[[2]string]*quarrel) {
	holders := map[content.Key][]int{}
	for _, set := range h.byCluster[cluster] {
		for _, key := range contested[set] {
			for _, before := range holders[key] {
				h.quarrel(cluster, key, before, set, quarrels)
			}
			holders[key] = append(holders[key], set)
		}
	}
}

func (h *holdings) quarrel(cluster string, key content.Key, before, set int, quarrels map[[2]string]*quarrel) {
	both := [2]holding{h.sets[before], h.sets[set]}
	names := [2]string{both[0].bundle.Name, both[1].bundle.Name}
	q := quarrels[names]
	if q == nil {
		q = &quarrel{keys: map[content.Key][2]holding{}}
		quarrels[names] = q
	}
	if _, ok := q.keys[key]; !ok {
		q.keys[key] = both
	}
	if n := len(q.clusters); n == 0 || q.clusters[n-1] != cluster {
		q.clusters = append(q.clusters, cluster)
	}
}

// problem names an object that both sets hold, and counts the rest.
func (q *quarrel) problem() v1alpha1.Problem {
	key := slices.Min(slices.Collect(maps.Keys(q.keys)))
	more := ""
	if len(q.keys) > 1 {
		more = " and " + count(len(q.keys)-1, "more object")
	}
	var clusters []string
	for _, c := range q.clusters {
		clusters = append(clusters, shortCluster(c))
	}
	one, other := q.keys[key][0], q.keys[key][1]
	file := other.fileOf(key)
	return v1alpha1.Problem{
		File: file, Bundle: other.bundle.Name, Severity: bundle.Error, Code: codeSharedObject,
		Message: fmt.Sprintf("bundles %s and %s both hold %s (%s and %s)%s on %s (%s): only one of them can own it",
			one.bundle.Name, other.bundle.Name, objectText(key), one.fileOf(key), file, more,
			count(len(clusters), "cluster"), shorten(clusters)),
		Suggestion: "keep it in one bundle, or deploy them to different clusters",
	}
}

// fileOf an object that the bundle gives.
func (h holding) fileOf(key content.Key) string {
	item := content.Item{Files: h.files, Objects: []content.Object{{Key: key}}}
	return sourcesOf(h.bundle, item, namedIn(h.bundle.Files))[0]
}
