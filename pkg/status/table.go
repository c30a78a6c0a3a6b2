package status

import (
	"sort"

	"github.com/muster-dev/muster/pkg/protocol"
)

// Table holds every cell. It is not safe for concurrent use.
type Table struct {
	bundles  map[string]map[string]Cell // bundle -> cluster -> cell
	clusters map[string]map[string]bool // cluster -> bundles with a cell
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{bundles: map[string]map[string]Cell{}, clusters: map[string]map[string]bool{}}
}

// Set replaces one cell and tells whether that changed anything.
func (t *Table) Set(bundle, cluster string, cell Cell) bool {
	row := t.bundles[bundle]
	if row == nil {
		row = map[string]Cell{}
		t.bundles[bundle] = row
	}
	if old, ok := row[cluster]; ok && old == cell {
		return false
	}
	row[cluster] = cell
	if t.clusters[cluster] == nil {
		t.clusters[cluster] = map[string]bool{}
	}
	t.clusters[cluster][bundle] = true
	return true
}

// Clear removes one cell and tells whether there was one.
func (t *Table) Clear(bundle, cluster string) bool {
	if _, ok := t.bundles[bundle][cluster]; !ok {
		return false
	}
	delete(t.bundles[bundle], cluster)
	if len(t.bundles[bundle]) == 0 {
		delete(t.bundles, bundle)
	}
	delete(t.clusters[cluster], bundle)
	if len(t.clusters[cluster]) == 0 {
		delete(t.clusters, cluster)
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
func (t *Table) Bundle(bundle string) Counts {
	var n Counts
	for _, c := range t.bundles[bundle] {
		n.add(c.State)
	}
	return n
}

// Cluster counts one cluster's cells.
func (t *Table) Cluster(cluster string) Counts {
	var n Counts
	for bundle := range t.clusters[cluster] {
		n.add(t.bundles[bundle][cluster].State)
	}
	return n
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
