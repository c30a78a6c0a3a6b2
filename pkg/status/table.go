package status

import (
	"sort"

	"github.com/muster-dev/muster/pkg/protocol"
)

// Table holds every cell. It is not safe for concurrent use.
type Table struct {
	bundles  map[string]map[string]Cell // bundle -> cluster -> cell
	clusters map[string]map[string]bool // cluster -> bundles with a cell
	// Counts follow every change of a cell: a report of one cluster must not cost a look at ten thousand others.
	ofBundle, ofCluster map[string]Counts
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{bundles: map[string]map[string]Cell{}, clusters: map[string]map[string]bool{}, ofBundle: map[string]Counts{}, ofCluster: map[string]Counts{}}
}

// Set replaces one cell and tells whether that changed anything.
func (t *Table) Set(bundle, cluster string, cell Cell) bool {
	row := t.bundles[bundle]
	if row == nil {
		row = map[string]Cell{}
		t.bundles[bundle] = row
	}
	old, had := row[cluster]
	if had && old == cell {
		return false
	}
	if had {
		t.count(bundle, cluster, old.State, -1)
	}
	t.count(bundle, cluster, cell.State, 1)
	row[cluster] = cell
	if t.clusters[cluster] == nil {
		t.clusters[cluster] = map[string]bool{}
	}
	t.clusters[cluster][bundle] = true
	return true
}

// Clear removes one cell and tells whether there was one.
func (t *Table) Clear(bundle, cluster string) bool {
	old, ok := t.bundles[bundle][cluster]
	if !ok {
		return false
	}
	t.count(bundle, cluster, old.State, -1)
	delete(t.bundles[bundle], cluster)
	if len(t.bundles[bundle]) == 0 {
		delete(t.bundles, bundle)
		delete(t.ofBundle, bundle)
	}
	delete(t.clusters[cluster], bundle)
	if len(t.clusters[cluster]) == 0 {
		delete(t.clusters, cluster)
		delete(t.ofCluster, cluster)
	}
	return true
}

// Bundles lists the bundles with a cell on a cluster, sorted.
func (t *Table) Bundles(cluster string) []string { return sortedKeys(t.clusters[cluster]) }

// Clusters lists the clusters with a cell of a bundle, sorted.
func (t *Table) Clusters(bundle string) []string { return sortedKeys(t.bundles[bundle]) }

// Cell returns one cell.
func (t *Table) Cell(bundle, cluster string) (Cell, bool) {
	c, ok := t.bundles[bundle][cluster]
	return c, ok
}

// Bundle counts one bundle's cells.
func (t *Table) Bundle(bundle string) Counts { return t.ofBundle[bundle] }

// Cluster counts one cluster's cells.
func (t *Table) Cluster(cluster string) Counts { return t.ofCluster[cluster] }

func (t *Table) count(bundle, cluster string, s protocol.State, by int) {
	b, c := t.ofBundle[bundle], t.ofCluster[cluster]
	b.add(s, by)
	c.add(s, by)
	t.ofBundle[bundle], t.ofCluster[cluster] = b, c
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// severity orders states, worst highest.
var severity = []protocol.State{
	protocol.StateReady, protocol.StatePending, protocol.StateApplying, protocol.StateRemoving,
	protocol.StateModified, protocol.StateNotReady, protocol.StateHeld, protocol.StateFailed,
}
