package protocol

import (
	"encoding/json"
	"fmt"
)

// Bounds of the texts in a report and of facts.
const (
	MaxReportMessages = 20
	MaxAPIVersions    = 2000
	maxUID            = 64
)

var states = map[State]bool{
	StateReady: true, StatePending: true, StateApplying: true, StateModified: true,
	StateNotReady: true, StateRemoving: true, StateHeld: true, StateFailed: true,
}

// Known tells whether s is one of the states.
func (s State) Known() bool { return states[s] }

// ParseReport reads a report and checks its bounds; texts are not yet made safe to print.
func ParseReport(body []byte) (Report, error) {
	var r Report
	if len(body) > MaxReportBytes {
		return r, fmt.Errorf("report of %d bytes, %d are allowed", len(body), MaxReportBytes)
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, fmt.Errorf("read report: %w", err)
	}
	return r, r.Check()
}

// Check tells the first bound that the report breaks.
func (r Report) Check() error {
	switch {
	case r.Version > Version:
		return fmt.Errorf("report has version %d, this hub reads %d", r.Version, Version)
	case r.Session == "" || len(r.Session) > maxUID:
		return fmt.Errorf("report without a usable session")
	case r.Sequence < 1 || r.Epoch < 0 || r.Revision < 0 || r.NotReady < 0:
		return fmt.Errorf("report with a number below its least value")
	case len(r.Bundles) > MaxReportBundles:
		return fmt.Errorf("report lists %d bundles, %d are allowed", len(r.Bundles), MaxReportBundles)
	case len(r.Heads) > MaxReportHeads:
		return fmt.Errorf("report lists %d heads, %d are allowed", len(r.Heads), MaxReportHeads)
	case len(r.Messages) > MaxReportMessages:
		return fmt.Errorf("report has %d messages, %d are allowed", len(r.Messages), MaxReportMessages)
	case len(r.Counts) > len(states) || len(r.Assignment) > maxUID || len(r.Signature) > maxSignature:
		return fmt.Errorf("report has a field that is too long")
	}
	for state, n := range r.Counts {
		if !state.Known() || n < 0 {
			return fmt.Errorf("report counts %d bundles of state %.32q", n, state)
		}
	}
	for _, b := range r.Bundles {
		if err := b.check(); err != nil {
			return err
		}
	}
	for _, h := range r.Heads {
		if h.UID == "" || len(h.UID) > maxUID {
			return fmt.Errorf("report has a head without a usable uid")
		}
	}
	return nil
}

func (b BundleReport) check() error {
	switch {
	case b.UID == "" || len(b.UID) > maxUID:
		return fmt.Errorf("report has a bundle without a usable uid")
	case !b.State.Known():
		return fmt.Errorf("report has a bundle of state %.32q", b.State)
	case len(b.Objects) > MaxReportObjects:
		return fmt.Errorf("report lists %d objects of one bundle, %d are allowed", len(b.Objects), MaxReportObjects)
	}
	return nil
}
