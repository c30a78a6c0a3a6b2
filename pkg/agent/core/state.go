package core

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/muster-dev/muster/pkg/protocol"
)

// failuresShown is after how many tries a failure that may pass by itself is
// called one, sentAwayShown if the server said when to come back.
const failuresShown, sentAwayShown = 3, 10

// maxMessage bounds a message, in bytes.
const maxMessage = 1024

// judge recomputes the state of the bundles that were looked at.
func (a *Agent) judge(now time.Time) {
	for _, b := range a.dirtyBundles() {
		b.park(now)
		b.working = a.works(b, now)
		report := a.bundleReport(b)
		if !reflect.DeepEqual(report, b.report) {
			b.report = report
			a.reporting.due = true
		}
	}
	clear(a.dirty)
}

// works tells whether more will come of the bundle by itself, at once.
func (a *Agent) works(b *bundle, now time.Time) bool {
	if b.removal != nil {
		return b.busy() || b.dropping || b.writing
	}
	if b.entry == nil || b.paused {
		return false
	}
	if !b.current() {
		return b.failure == ""
	}
	if b.item.Refusal != "" {
		return false
	}
	if !b.admitted() {
		return b.admission.denial == ""
	}
	for _, o := range b.objects {
		if o.busy || o.surveying || o.want != nil && !o.applied() && !o.parked() || a.willCorrect(b, o, now) {
			return true
		}
	}
	return false
}

func (a *Agent) willCorrect(b *bundle, o *object, now time.Time) bool {
	return o.want != nil && o.applied() && b.item.Options.DriftMode == "correct" &&
		(o.missing && !o.exempt() || o.modified(b.uid)) && !o.retryAt.After(now) && o.conflict == ""
}

// bundleReport says how a bundle is, with the objects that are the cause.
func (a *Agent) bundleReport(b *bundle) protocol.BundleReport {
	r := protocol.BundleReport{UID: b.uid, Generation: b.generation}
	switch {
	case b.removal != nil:
		r.State = protocol.StateRemoving
		r.Message = fmt.Sprintf("%d objects left", b.listed())
		r.Objects = b.removalReports()
	case b.entry == nil:
		return protocol.BundleReport{}
	case b.paused:
		r.Generation, r.State, r.Message = b.entry.Generation, protocol.StateHeld, "paused"
	case !b.current() && b.failure != "":
		r.Generation, r.State, r.Message = b.entry.Generation, protocol.StateFailed, clip("content: "+b.failure)
	case !b.current():
		r.Generation, r.State = b.entry.Generation, protocol.StatePending
	case b.item.Refusal != "":
		r.Generation, r.State, r.Message = b.entry.Generation, protocol.StateHeld, clip(b.item.Refusal)
	case !b.admitted() && b.admission.denial != "":
		r.Generation, r.State, r.Message = b.entry.Generation, protocol.StateHeld, clip(b.admission.denial)
	case !b.admitted() && !b.settled():
		r.Generation, r.State = b.entry.Generation, protocol.StateApplying
	default:
		r.Generation = b.entry.Generation
		a.objectsReport(b, &r)
	}
	return bounded(r)
}

// objectsReport folds the states of the objects: the worst is the bundle's.
func (a *Agent) objectsReport(b *bundle, r *protocol.BundleReport) {
	r.State = protocol.StateReady
	for _, k := range b.order {
		o := b.objects[k]
		if o == nil {
			continue
		}
		state, report := a.judgeObject(b, o)
		if severity(state) > severity(r.State) {
			r.State, r.Message = state, summary(report)
		}
		if report.State != "" {
			report.Key, report.Message = string(k), clip(report.Message)
			r.Objects = append(r.Objects, report)
		}
	}
}

func summary(r protocol.ObjectReport) string {
	if r.State == "" {
		return ""
	}
	return clip(strings.TrimSuffix(r.State+": "+r.Message, ": "))
}

// judgeObject says what an object makes of its bundle's state.
func (a *Agent) judgeObject(b *bundle, o *object) (protocol.State, protocol.ObjectReport) {
	switch {
	case o.want == nil:
		return a.judgeUnwanted(b, o)
	case o.conflict != "":
		return protocol.StateFailed, objectIs("Conflict", o.conflict)
	case o.failure.Kind == FailureWaiting:
		return protocol.StateNotReady, objectIs("Waiting", o.failure.Message)
	case o.failure.Kind == FailurePermanent, o.failure.Kind == FailureRetry && o.tries >= o.failure.shownAfter():
		return protocol.StateFailed, objectIs("Failed", o.failure.Message)
	case !o.applied():
		return protocol.StateApplying, protocol.ObjectReport{}
	case o.Done, o.Print == plainPrint:
		return protocol.StateReady, protocol.ObjectReport{}
	case o.missing && b.item.Options.DriftMode != "off" && !o.exempt():
		return protocol.StateModified, objectIs("Missing", "deleted on the cluster")
	case o.missing:
		return protocol.StateReady, protocol.ObjectReport{}
	}
	return a.judgeLive(b, o)
}

// shownAfter tells how many tries a failure is kept to ourselves.
func (f Failure) shownAfter() int {
	if f.RetryAfterSeconds > 0 {
		return sentAwayShown
	}
	return failuresShown
}

func (a *Agent) judgeLive(b *bundle, o *object) (protocol.State, protocol.ObjectReport) {
	if o.live == nil || o.live.Health == HealthUnknown {
		return protocol.StateApplying, protocol.ObjectReport{}
	}
	if o.live.Health != HealthCurrent {
		return protocol.StateNotReady, objectIs("NotReady", o.live.Message)
	}
	if b.item.Options.DriftMode != "off" && o.modified(b.uid) {
		return protocol.StateModified, objectIs("Modified", changes(o))
	}
	return protocol.StateReady, protocol.ObjectReport{}
}

func changes(o *object) string {
	if !o.live.Labelled && !coOwned(o.Role) {
		return "not owned by us any more: the label or annotation of the bundle is gone"
	}
	return strings.Join(o.live.Changes, "; ")
}

// judgeUnwanted speaks of a key that left the manifests.
func (a *Agent) judgeUnwanted(b *bundle, o *object) (protocol.State, protocol.ObjectReport) {
	switch {
	case b.retain:
		return protocol.StateModified, objectIs("Extra", "not wanted any more; its removal is held")
	case o.deleting, o.blocked != "":
		return protocol.StateApplying, objectIs("Waiting", "being removed: "+o.blocked)
	case o.failure.Kind != FailureNone && o.tries >= failuresShown:
		return protocol.StateFailed, objectIs("Failed", "remove: "+o.failure.Message)
	}
	return protocol.StateApplying, protocol.ObjectReport{}
}

func (b *bundle) removalReports() []protocol.ObjectReport {
	var list []protocol.ObjectReport
	for _, k := range b.order {
		if o := b.objects[k]; o != nil && o.listed && o.failure.Kind != FailureNone {
			list = append(list, protocol.ObjectReport{Key: string(k), State: "Waiting", Message: clip(o.failure.Message)})
		}
	}
	return list
}

func objectIs(state, message string) protocol.ObjectReport {
	return protocol.ObjectReport{State: state, Message: message}
}

// bounded keeps the worst objects within the protocol's bound.
func bounded(r protocol.BundleReport) protocol.BundleReport {
	slices.SortStableFunc(r.Objects, func(x, y protocol.ObjectReport) int { return objectRank(x.State) - objectRank(y.State) })
	if len(r.Objects) > protocol.MaxReportObjects {
		r.More = len(r.Objects) - protocol.MaxReportObjects
		r.Objects = r.Objects[:protocol.MaxReportObjects:protocol.MaxReportObjects]
	}
	return r
}

func objectRank(state string) int {
	return slices.Index([]string{"Conflict", "Failed", "NotReady", "Waiting", "Missing", "Modified", "Extra"}, state)
}

// severity orders the states, Ready least.
func severity(s protocol.State) int {
	return slices.Index([]protocol.State{
		protocol.StateReady, protocol.StateModified, protocol.StatePending, protocol.StateNotReady,
		protocol.StateApplying, protocol.StateRemoving, protocol.StateHeld, protocol.StateFailed,
	}, s)
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage-3], "") + "..."
}

func compareBundles(x, y *bundle) int {
	if c := strings.Compare(x.workspace, y.workspace); c != 0 {
		return c
	}
	if c := strings.Compare(x.name, y.name); c != 0 {
		return c
	}
	return strings.Compare(x.uid, y.uid)
}
