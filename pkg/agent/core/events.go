package core

import (
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Event is something the shell tells the core.
type Event interface{ event() }

// DocumentReceived brings a document whose signature was verified.
type DocumentReceived struct {
	Mark     Mark
	Document *protocol.Document
}

// Refused says that the hub does not know this agent any more: what runs is
// kept and nothing is corrected until a document arrives again.
type Refused struct{ Message string }

// Noticed sets or, with an empty text, clears a message of the agent about itself.
type Noticed struct{ Topic, Text string }

// ContentLoaded answers a Fetch; Item is nil when it failed.
type ContentLoaded struct {
	Content content.ID
	Item    *Item
	Failure string
}

// Admitted answers an Admit.
type Admitted struct {
	Bundle string
	// Denial says why the bundle must not act; empty if it may.
	Denial string
	// Failure says why nobody knows; it is asked again.
	Failure string
}

// Surveyed answers a Survey.
type Surveyed struct {
	Results []SurveyResult
}

// SurveyResult is one key, read live.
type SurveyResult struct {
	Key content.Key
	// Live is nil if the object does not exist.
	Live *Live
	// Unknown is set when the key could not be read, and says why. A kind that a
	// complete discovery does not hold is no such case: nothing of it can exist.
	Unknown string
}

// JournalWritten answers a Journal write.
type JournalWritten struct {
	Sequence uint64
	Failure  string
}

// Applied answers an Apply.
type Applied struct {
	Bundle string
	Key    content.Key
	Hash   string
	// Live is the object as the API server answered; nil when it failed.
	Live    *Live
	Failure Failure
}

// Deleted answers a Delete.
type Deleted struct {
	Bundle  string
	Key     content.Key
	Outcome DeleteOutcome
	Message string
	// Live is the object of that name with another uid, if DeleteGone met one.
	Live *Live
}

// DeleteOutcome enumerates what can come of a delete.
type DeleteOutcome int

// The outcomes of a delete.
const (
	DeleteFailed      DeleteOutcome = iota // tried again later
	DeleteGone                             // absent, or another object of that name is there
	DeleteTerminating                      // accepted, finalizers run
	DeleteBlocked                          // others would lose something: message says what
)

// StateWritten answers a StateWrite or StateDrop.
type StateWritten struct {
	Bundle   string
	Sequence uint64
	Failure  string
}

// Observed is what a watch saw of an object with our label.
type Observed struct {
	Key  content.Key
	Live *Live
}

// Vanished says that a watch no longer sees an object: deleted, or stripped of
// its label. A live read decides.
type Vanished struct {
	Key content.Key
	// Revision as of which it is not seen.
	Revision string
}

// Listed says which keys of one kind a complete list held.
type Listed struct {
	Group, Kind string
	Revision    string
	Keys        map[content.Key]bool
}

// Synced says that every kind in the inventories was listed once since the start.
type Synced struct{}

// KindsChanged says that kinds may be served now that were not before.
type KindsChanged struct{}

// ReportSent answers a report.
type ReportSent struct{ Failure string }

func (DocumentReceived) event() {}
func (Refused) event()          {}
func (Noticed) event()          {}
func (ContentLoaded) event()    {}
func (Admitted) event()         {}
func (Surveyed) event()         {}
func (JournalWritten) event()   {}
func (Applied) event()          {}
func (Deleted) event()          {}
func (StateWritten) event()     {}
func (Observed) event()         {}
func (Vanished) event()         {}
func (Listed) event()           {}
func (Synced) event()           {}
func (KindsChanged) event()     {}
func (ReportSent) event()       {}

// Live is what the core must know of an object on the cluster.
type Live struct {
	UID string
	// Revision is metadata.resourceVersion.
	Revision string
	// Owner and Intent from our annotation; empty if it carries none.
	Owner, Intent string
	// Labelled is true if our watch filter selects it.
	Labelled bool
	// Release is namespace/name of the Helm release that owns it, if any.
	Release string
	// Foreign is true if others than us manage fields of it.
	Foreign bool
	// Prints are the fingerprints of owned fields by field manager.
	Prints map[string]string
	Health Health
	// Message explains Health.
	Message string
	// Changes are field paths that are not as desired, for people.
	Changes []string
	// AsDesired is true if every desired field has its value, whoever owns it:
	// a change by hand that a person took back by hand.
	AsDesired bool
	// Done is true for a finished Job that will remove itself.
	Done bool
	// Terminating is true once it is being deleted.
	Terminating bool
}

// Health of one object.
type Health int

// The healths.
const (
	HealthUnknown Health = iota
	HealthCurrent
	HealthProgressing
	HealthFailed
)

// Failure says why an apply did not happen; the zero value is no failure.
type Failure struct {
	Kind    FailureKind
	Message string
	// NoNamespace is true if the object's namespace does not exist.
	NoNamespace bool
	// RetryAfterSeconds as the API server asked, if it did.
	RetryAfterSeconds int
}

// FailureKind decides when an object is tried again.
type FailureKind int

// The kinds of failures.
const (
	FailureNone      FailureKind = iota
	FailureRetry                 // may pass by itself: timeouts, a missing namespace
	FailurePermanent             // only a change helps: invalid, forbidden, immutable
	FailureWaiting               // its kind is not served yet
)
