package lab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// maxColumns is how many clusters a board shows side by side; above that it
// shows one line per cluster with counts.
const maxColumns = 6

// board is what runs where: bundle -> cluster -> state.
type board struct {
	bundles  []string
	clusters []string
	cells    map[string]map[string]string
	away     map[string]bool // clusters that are not connected
	sources  []string        // one line per GitRepo
}

// newBoard reads the board off the hub's objects. A bundle that an assignment
// names is Pending until its cluster has acknowledged that revision, then what
// the report says, and Ready if the report says nothing.
func newBoard(repos []v1alpha1.GitRepo, clusters []v1alpha1.Cluster, assignments []v1alpha1.Assignment, reports []v1alpha1.ClusterReport) board {
	b := board{cells: map[string]map[string]string{}, away: map[string]bool{}}
	for _, r := range repos {
		b.sources = append(b.sources, source(r))
	}
	reported := map[string]v1alpha1.ClusterReportSpec{}
	for _, r := range reports {
		reported[r.Name] = r.Spec
	}
	for _, c := range clusters {
		b.clusters = append(b.clusters, c.Name)
		b.away[c.Name] = !connected(c)
	}
	for _, a := range assignments {
		_, cluster, _ := strings.Cut(a.Name, ".")
		b.fill(cluster, a, reported[a.Name])
	}
	slices.Sort(b.sources)
	slices.Sort(b.clusters)
	slices.Sort(b.bundles)
	b.bundles = slices.Compact(b.bundles)
	return b
}

// maxSource is how long a GitRepo's line may be, in bytes.
const maxSource = 160

// source is a GitRepo's commit and what it says of itself.
func source(r v1alpha1.GitRepo) string {
	commit := "no commit yet"
	if len(r.Status.Commit) >= 8 {
		commit = r.Status.Commit[:8]
	}
	line := "GitRepo " + r.Name + " at " + commit + ": " + v1alpha1.ReasonReady
	if message := unready(r.Status.Conditions); message != "" {
		line = "GitRepo " + r.Name + " at " + commit + ": " + message
	}
	if len(line) > maxSource {
		line = strings.ToValidUTF8(line[:maxSource], "") + "..."
	}
	return line
}

func connected(c v1alpha1.Cluster) bool {
	for _, condition := range c.Status.Conditions {
		if condition.Type == v1alpha1.ConditionConnected {
			return condition.Status == "True"
		}
	}
	return false
}

func (b *board) fill(cluster string, a v1alpha1.Assignment, report v1alpha1.ClusterReportSpec) {
	var document protocol.Document
	// A document that does not parse leaves its column empty, which is what it is.
	_ = json.Unmarshal([]byte(a.Spec.Document), &document)
	states := map[string]string{}
	for _, one := range report.Bundles {
		states[one.UID] = one.State
	}
	for _, e := range document.Entries {
		state := states[e.UID]
		if state == "" {
			state = string(protocol.StateReady)
		}
		if report.Revision < e.Revision || report.Assignment != document.Assignment {
			state = string(protocol.StatePending)
		}
		b.set(e.Bundle, cluster, state)
	}
	for _, r := range document.Removals {
		b.set(r.Bundle, cluster, string(protocol.StateRemoving))
	}
}

func (b *board) set(bundle, cluster, state string) {
	if b.cells[bundle] == nil {
		b.cells[bundle] = map[string]string{}
		b.bundles = append(b.bundles, bundle)
	}
	b.cells[bundle][cluster] = state
}

// String is the board as a table, without a trailing newline.
func (b board) String() string {
	var out strings.Builder
	for _, line := range b.sources {
		out.WriteString(line + "\n")
	}
	table := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	if len(b.clusters) > maxColumns {
		b.printCounts(table)
	} else {
		b.printCells(table)
	}
	// A strings.Builder does not fail.
	_ = table.Flush()
	return strings.TrimRight(out.String(), "\n")
}

func (b board) printCells(table *tabwriter.Writer) {
	header := []string{"BUNDLE"}
	for _, cluster := range b.clusters {
		header = append(header, b.title(cluster))
	}
	fmt.Fprintln(table, strings.Join(header, "\t"))
	for _, bundle := range b.bundles {
		row := []string{bundle}
		for _, cluster := range b.clusters {
			state := b.cells[bundle][cluster]
			if state == "" {
				state = "-"
			}
			row = append(row, state)
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
}

func (b board) printCounts(table *tabwriter.Writer) {
	fmt.Fprintln(table, "CLUSTER\tREADY\tBUNDLES\tOTHER")
	for _, cluster := range b.clusters {
		ready, all := 0, 0
		var others []string
		for _, bundle := range b.bundles {
			state := b.cells[bundle][cluster]
			if state == "" {
				continue
			}
			all++
			if state == string(protocol.StateReady) {
				ready++
				continue
			}
			others = append(others, bundle+" "+state)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", b.title(cluster), ready, all, strings.Join(others[:min(3, len(others))], ", "))
	}
}

// title marks a cluster whose states may be old.
func (b board) title(cluster string) string {
	if b.away[cluster] {
		return cluster + " (away)"
	}
	return cluster
}
