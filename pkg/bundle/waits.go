package bundle

import (
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// wait is one step: a bundle by the entry of its dependsOn that leads on.
type wait struct{ bundle, need int }

// waits is the graph of who waits for whom. Bundles come first; behind them
// stands a node for each selector, so that many bundles with one selector over
// many others are not as many edges as their product.
type waits struct {
	dependents []dependent
	to         [][]wait // of a node: the node that an entry leads to
}

// maxSelected bounds how often a selector is held against a bundle in one Load;
// selectors beyond it are not followed.
const maxSelected = 1 << 20

func newWaits(dependents []dependent) *waits {
	g := &waits{dependents: dependents, to: make([][]wait, len(dependents))}
	byName, selectors := map[string][]int{}, map[string]int{}
	for i, d := range dependents {
		byName[d.name] = append(byName[d.name], i)
	}
	for i, d := range dependents {
		for n, each := range d.needs {
			for _, other := range byName[each.Name] {
				g.to[i] = append(g.to[i], wait{other, n})
			}
			if node, ok := g.selectorNode(each.Selector, selectors); ok {
				g.to[i] = append(g.to[i], wait{node, n})
			}
		}
	}
	return g
}

func (g *waits) selectorNode(from *metav1.LabelSelector, known map[string]int) (int, bool) {
	selector, err := metav1.LabelSelectorAsSelector(from)
	if err != nil || from == nil || asksForeignLabels(selector) {
		return 0, false
	}
	key := selector.String()
	if node, ok := known[key]; ok {
		return node, true
	}
	if (len(known)+1)*len(g.dependents) > maxSelected {
		return 0, false
	}
	var chosen []wait
	for i, d := range g.dependents {
		if selector.Matches(labels.Set(d.labels)) {
			chosen = append(chosen, wait{bundle: i})
		}
	}
	g.to = append(g.to, chosen)
	known[key] = len(g.to) - 1
	return known[key], true
}

// asksForeignLabels tells whether a selector asks about labels that are not the
// bundle's own words but set on the hub.
func asksForeignLabels(s labels.Selector) bool {
	requirements, _ := s.Requirements()
	return slices.ContainsFunc(requirements, func(r labels.Requirement) bool {
		prefix, _, _ := strings.Cut(r.Key(), "/")
		return prefix == v1alpha1.Group || strings.HasSuffix(prefix, "."+v1alpha1.Group) || prefix == "fleet.cattle.io"
	})
}

// cycles finds for every bundle that is in a cycle one that starts with it.
func (g *waits) cycles() [][]wait {
	group := g.groups()
	told := make([]bool, len(g.dependents))
	var found [][]wait
	for i := range g.dependents {
		if told[i] {
			continue
		}
		cycle := g.shortest(i, group)
		for k, w := range cycle {
			if !told[w.bundle] {
				told[w.bundle] = true
				found = append(found, slices.Concat(cycle[k:], cycle[:k]))
			}
		}
	}
	return found
}

// shortest is the shortest way from a bundle back to itself, without the nodes
// of selectors; nil if there is none. It stays among those that reach each other.
func (g *waits) shortest(start int, group []int) []wait {
	from := map[int]wait{} // the node and the entry by which a node was reached
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		node := queue[0]
		for _, w := range g.to[node] {
			if group[w.bundle] != group[start] {
				continue
			}
			if _, seen := from[w.bundle]; seen {
				continue
			}
			from[w.bundle] = wait{node, w.need}
			if w.bundle == start {
				return g.wayBack(start, from)
			}
			queue = append(queue, w.bundle)
		}
	}
	return nil
}

func (g *waits) wayBack(start int, from map[int]wait) []wait {
	var way []wait
	for at := start; ; {
		step := from[at]
		if step.bundle < len(g.dependents) {
			way = append(way, step)
		}
		if at = step.bundle; at == start {
			slices.Reverse(way)
			return way
		}
	}
}

// groups numbers the nodes so that those which reach each other have one number.
func (g *waits) groups() []int {
	n := len(g.to)
	s := grouping{waits: g, order: make([]int, n), low: make([]int, n), next: make([]int, n), group: make([]int, n)}
	for root := range n {
		if s.order[root] == 0 {
			s.from(root)
		}
	}
	return s.group
}

// grouping is Tarjan's search for strongly connected components. It keeps its
// own path, since a chain of bundles may be longer than a stack should be deep.
type grouping struct {
	*waits
	order, low []int // when a node was seen first, and the earliest it reaches
	next       []int // the edge of a node to follow next
	group      []int // 0 while it is open
	open       []int
	seen       int
}

func (s *grouping) from(root int) {
	for path := []int{root}; len(path) > 0; {
		node := path[len(path)-1]
		if s.order[node] == 0 {
			s.seen++
			s.order[node], s.low[node] = s.seen, s.seen
			s.open = append(s.open, node)
		}
		if other, ok := s.step(node); ok {
			path = append(path, other)
			continue
		}
		if s.next[node] < len(s.to[node]) {
			continue
		}
		s.close(node)
		if path = path[:len(path)-1]; len(path) > 0 {
			up := path[len(path)-1]
			s.low[up] = min(s.low[up], s.low[node])
		}
	}
}

// step follows one edge of a node and tells whether it leads to a new one.
func (s *grouping) step(node int) (int, bool) {
	if s.next[node] == len(s.to[node]) {
		return 0, false
	}
	other := s.to[node][s.next[node]].bundle
	s.next[node]++
	if s.order[other] == 0 {
		return other, true
	}
	if s.group[other] == 0 {
		s.low[node] = min(s.low[node], s.order[other])
	}
	return 0, false
}

// close makes a group of a node that reaches none before it, and those seen since.
func (s *grouping) close(node int) {
	if s.low[node] != s.order[node] {
		return
	}
	for s.group[node] == 0 {
		last := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		s.group[last] = s.order[node]
	}
}
