package status

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Counts are cells by state; every cell is counted exactly once.
type Counts struct {
	byState [8]int
}

func (n *Counts) add(s protocol.State, by int) {
	for i, known := range severity {
		if s == known {
			n.byState[i] += by
			return
		}
	}
	// A state of a newer agent is not known to be good.
	n.byState[index(protocol.StateNotReady)] += by
}

func index(s protocol.State) int {
	for i, known := range severity {
		if s == known {
			return i
		}
	}
	return 0
}

// Plus adds up counts.
func (n Counts) Plus(o Counts) Counts {
	for i := range n.byState {
		n.byState[i] += o.byState[i]
	}
	return n
}

// Of returns how many cells have a state.
func (n Counts) Of(s protocol.State) int { return n.byState[index(s)] }

// Total counts all cells but those being removed.
func (n Counts) Total() int {
	total := 0
	for i, c := range n.byState {
		if severity[i] != protocol.StateRemoving {
			total += c
		}
	}
	return total
}

// Worst returns the worst state that occurs; Ready if none does.
func (n Counts) Worst() protocol.State {
	for i := len(n.byState) - 1; i >= 0; i-- {
		if n.byState[i] > 0 {
			return severity[i]
		}
	}
	return protocol.StateReady
}

// AllReady tells whether every cell is Ready; it is so for no cells.
func (n Counts) AllReady() bool { return n.Worst() == protocol.StateReady }

// Moving tells whether some cell is on its way by itself.
func (n Counts) Moving() bool {
	return n.Of(protocol.StatePending)+n.Of(protocol.StateApplying)+n.Of(protocol.StateRemoving) > 0
}

// Summary is the counts as the API shows them.
func (n Counts) Summary() v1alpha1.Summary {
	return v1alpha1.Summary{
		Desired: n.Total(), Ready: n.Of(protocol.StateReady), Applying: n.Of(protocol.StateApplying),
		NotReady: n.Of(protocol.StateNotReady), Modified: n.Of(protocol.StateModified), Failed: n.Of(protocol.StateFailed),
		Held: n.Of(protocol.StateHeld), Pending: n.Of(protocol.StatePending), Removing: n.Of(protocol.StateRemoving),
	}
}

// Ratio is ready/total, as people read it.
func (n Counts) Ratio() string { return fmt.Sprintf("%d/%d", n.Of(protocol.StateReady), n.Total()) }
