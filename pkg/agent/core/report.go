package core

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/muster-dev/muster/pkg/protocol"
)

// The spans of reporting.
const (
	// reportGrace is how long a report waits for work to end, so that a small change is one report.
	reportGrace = 100 * time.Millisecond
	// reportGap is the least time between two reports while work goes on, settledGap when it ended.
	reportGap  = 500 * time.Millisecond
	settledGap = 100 * time.Millisecond
	// Heartbeat is how long an idle agent stays silent.
	Heartbeat = 5 * time.Minute
)

// maxMessages bounds what an agent says of itself.
const maxMessages = 20

// reporting decides when a report is sent.
type reporting struct {
	// due means that something may have changed since the last one.
	due bool
	// fresh is set by a document that was not reported yet, heads by a stored inventory.
	fresh, heads bool
	// blind holds reports back until the watches have listed once after a start.
	blind    bool
	at, last time.Time
	inFlight bool
	tries    int
	sent     *protocol.Report
	sending  *protocol.Report
}

// sendReport asks for a report when one is due.
func (a *Agent) sendReport(r *Ready, now time.Time) {
	p := &a.reporting
	if p.blind || p.inFlight || a.doc != nil && !a.durable() {
		return // what is not stored is not said: a crash could take it back
	}
	heartbeat := !p.last.IsZero() && now.Sub(p.last) >= Heartbeat
	if !p.due && !p.heads && !heartbeat {
		p.idle(now)
		return
	}
	if !heartbeat && a.reportTime(now).After(now) {
		return
	}
	report := a.report()
	p.due, p.fresh, p.heads, p.at = false, false, false, time.Time{}
	if !heartbeat && p.sent != nil && reflect.DeepEqual(*p.sent, report) {
		p.idle(now)
		return
	}
	p.inFlight, p.sending, p.last = true, &report, now
	r.Report = &report
}

// idle plans the next heartbeat.
func (p *reporting) idle(now time.Time) {
	if p.last.IsZero() {
		p.last = now
	}
	p.at = p.last.Add(Heartbeat)
}

// reportTime returns when the report that is due may go: at once when all work
// ended, after a grace while it goes on, never more often than the gaps.
func (a *Agent) reportTime(now time.Time) time.Time {
	p := &a.reporting
	if p.tries > 0 {
		return p.at
	}
	if a.settled() {
		p.at = latest(now, p.last.Add(settledGap))
		return p.at
	}
	if p.at.IsZero() || p.at.Sub(now) > reportGap {
		p.at = latest(now.Add(reportGrace), p.last.Add(reportGap))
	}
	return p.at
}

func latest(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}

// settled tells whether no bundle is at work.
func (a *Agent) settled() bool {
	if a.gather.writing != 0 || !a.durable() && a.doc != nil {
		return false
	}
	for _, b := range a.bundles {
		if b.working {
			return false
		}
	}
	return true
}

func (a *Agent) reportSent(e ReportSent) {
	p := &a.reporting
	p.inFlight = false
	if e.Failure == "" {
		p.sent, p.tries = p.sending, 0
		return
	}
	p.due = true
	p.tries++
	p.at = p.last.Add(backoff(p.tries, time.Second, time.Minute, "report"+a.cluster))
}

// Resync forgets what was reported, since a new session begins: the next
// report is sent although nothing changed.
func (a *Agent) Resync() {
	a.reporting.sent, a.reporting.due = nil, true
}

// report is everything the hub is told.
func (a *Agent) report() protocol.Report {
	r := protocol.Report{
		Version: protocol.Version, Assignment: a.mark.Assignment, Epoch: a.mark.Epoch, Revision: a.mark.Revision,
		Signature: a.mark.Signature, Heads: a.reportHeads(), Messages: a.messages(),
	}
	r.Counts, r.Bundles = a.reportBundles()
	r.NotReady = len(r.Bundles)
	if len(r.Bundles) > protocol.MaxReportBundles {
		r.Bundles = r.Bundles[:protocol.MaxReportBundles]
	}
	return r
}

func (a *Agent) reportHeads() []protocol.Head {
	var heads []protocol.Head
	for _, b := range a.sorted() {
		n := b.listed()
		if (n == 0 && !b.stored) || len(heads) == protocol.MaxReportHeads {
			continue
		}
		heads = append(heads, protocol.Head{UID: b.uid, Workspace: b.workspace, Bundle: b.name, Generation: b.generation, Objects: n})
	}
	return heads
}

func (a *Agent) reportBundles() (map[protocol.State]int, []protocol.BundleReport) {
	counts := map[protocol.State]int{}
	var list []protocol.BundleReport
	for _, b := range a.sorted() {
		if b.report.State == "" {
			continue
		}
		if b.entry != nil {
			counts[b.report.State]++
		}
		if b.report.State != protocol.StateReady {
			list = append(list, b.report)
		}
	}
	slices.SortStableFunc(list, func(x, y protocol.BundleReport) int { return severity(y.State) - severity(x.State) })
	return counts, list
}

func (a *Agent) sorted() []*bundle {
	return slices.SortedFunc(maps.Values(a.bundles), compareBundles)
}

func (a *Agent) messages() []string {
	var list []string
	for _, topic := range slices.Sorted(maps.Keys(a.notices)) {
		if len(list) < maxMessages {
			list = append(list, clip(a.notices[topic]))
		}
	}
	return list
}
