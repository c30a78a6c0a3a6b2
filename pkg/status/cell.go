package status

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Cell is the state of one bundle on one cluster, and the generation it speaks of.
type Cell struct {
	State      protocol.State
	Generation int64
	Message    string
}

// Facing is everything one cell depends on.
type Facing struct {
	// UID, Generation and Content are what the cluster shall run; Wanted is false for a bundle that is leaving.
	UID        string
	Wanted     bool
	Held       bool
	Generation int64
	Content    string
	// Joined says that the cluster has an identity.
	Joined bool
	// Document is the newest stored for the cluster, nil if none.
	Document *protocol.Document
	Report   *v1alpha1.ClusterReportSpec
}

// Judge returns the cell, and false when there is nothing to say: a bundle
// that is neither wanted nor there.
func Judge(f Facing) (Cell, bool) {
	if f.Held {
		return Cell{State: protocol.StateHeld, Generation: f.Generation, Message: "stopped matching; its removal waits for approval"}, true
	}
	if !f.Wanted {
		return judgeLeaving(f)
	}
	cell := Cell{State: protocol.StatePending, Generation: f.Generation}
	if !f.Joined {
		cell.Message = "the cluster has not joined yet"
		return cell, true
	}
	entry, ok := entryOf(f.Document, f.UID)
	if !ok || entry.Content != f.Content || entry.Generation != f.Generation {
		cell.Message = "not assigned yet"
		return cell, true
	}
	if !acknowledged(f, entry.Revision) {
		cell.Message = fmt.Sprintf("the cluster has not acknowledged revision %d yet", entry.Revision)
		return cell, true
	}
	for _, b := range f.Report.Bundles {
		if b.UID == f.UID {
			return Cell{State: protocol.State(b.State), Generation: b.Generation, Message: Explain(b)}, true
		}
	}
	if f.Report.NotReady > len(f.Report.Bundles) {
		cell.State, cell.Message = protocol.StateApplying, "the cluster reports more bundles that are not ready than it lists"
		return cell, true
	}
	cell.State = protocol.StateReady
	return cell, true
}

func judgeLeaving(f Facing) (Cell, bool) {
	if f.Document != nil {
		for _, r := range f.Document.Removals {
			if r.UID == f.UID {
				return Cell{State: protocol.StateRemoving, Message: "being removed from the cluster"}, true
			}
		}
	}
	if _, still := entryOf(f.Document, f.UID); still {
		return Cell{State: protocol.StateRemoving, Message: "its removal is not assigned yet"}, true
	}
	return Cell{}, false
}

func entryOf(d *protocol.Document, uid string) (protocol.Entry, bool) {
	if d == nil {
		return protocol.Entry{}, false
	}
	for _, e := range d.Entries {
		if e.UID == uid {
			return e, true
		}
	}
	return protocol.Entry{}, false
}

func acknowledged(f Facing, revision int64) bool {
	r := f.Report
	return r != nil && r.Assignment == f.Document.Assignment && r.Epoch == f.Document.Epoch && r.Revision >= revision
}

// Explain says in one sentence why a bundle is not ready.
func Explain(b v1alpha1.BundleReport) string {
	if len(b.Objects) == 0 {
		return b.Message
	}
	o := b.Objects[0]
	text := o.Key + ": " + o.State
	if o.Message != "" {
		text = o.Key + ": " + o.Message
	}
	if more := len(b.Objects) - 1 + b.More; more > 0 {
		text = fmt.Sprintf("%s (and %d more objects)", text, more)
	}
	if b.Message != "" {
		return b.Message + ": " + text
	}
	return text
}
