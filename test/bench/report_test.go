package bench_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// measure is what a row was measured as; the median of the samples counts.
type measure struct {
	samples []float64
	unit    string // "" for counts
	note    string
}

// row is a measured row of the table.
type row struct {
	Work string `json:"work"`
	// Unit of all figures of the row; none for counts.
	Unit string `json:"unit,omitempty"`
	// Fleet is what Rancher Fleet 0.16 was measured to need, as text.
	Fleet string `json:"fleet,omitempty"`
	// Budget is what we mean to stay within; nil where none was set.
	Budget *float64 `json:"budget,omitempty"`
	// Limit is what the bench fails above; nil for times.
	Limit *float64 `json:"limit,omitempty"`
	// Median of the samples.
	Median  float64   `json:"median"`
	Samples []float64 `json:"samples"`
	// Met says whether the median is within the budget.
	Met  bool   `json:"met"`
	Note string `json:"note,omitempty"`
}

// report is all rows and the conditions they were measured under.
type report struct {
	Began      time.Time         `json:"began"`
	Ended      time.Time         `json:"ended"`
	Conditions map[string]string `json:"conditions"`
	Rows       []row             `json:"rows"`
}

func newReport(t *testing.T) *report {
	t.Helper()
	return &report{Began: time.Now().UTC().Truncate(time.Second), Conditions: map[string]string{
		"load before": load(), "cores": fmt.Sprint(runtime.NumCPU()), "go": runtime.Version(),
		"commit": said("git", "rev-parse", "--short", "HEAD"), "git": said("git", "--version"),
		"kernel": said("uname", "-sr"),
	}}
}

// load of the machine: 1, 5 and 15 minutes.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// said is a program's first line, or why there is none.
func said(name string, args ...string) string {
	text, err := exec.Command(name, args...).Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// add adds a row under its name in the table of budgets.
func (r *report) add(work string, m measure) {
	measured := row{Work: work, Unit: m.unit, Samples: m.samples, Median: median(m.samples), Note: m.note, Met: true}
	b, ok := budgets()[work]
	if !ok {
		b = budget{budget: none, limit: none}
	}
	measured.Fleet = b.fleet
	if b.budget != none {
		measured.Budget, measured.Met = &b.budget, measured.Median <= b.budget
	}
	if b.limit != none {
		measured.Limit = &b.limit
	}
	r.Rows = append(r.Rows, measured)
	fmt.Printf("%s: %s %v %s\n", work, measured.number(measured.Median), m.samples, m.note)
}

func (r *report) finish() {
	r.Ended = time.Now().UTC().Truncate(time.Second)
	r.Conditions["load after"] = load()
}

func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// table is the rows as docs/benchmarks.md shows them.
func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| work | Fleet 0.16 | budget | measured (median) | lowest - highest | |\n|---|---|---|---|---|---|\n")
	for _, one := range r.Rows {
		verdict := ""
		if !one.Met {
			verdict = "missed"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s - %s (%d) | %s |\n", one.Work, one.Fleet, one.budget(), one.number(one.Median),
			number(slices.Min(one.Samples)), one.number(slices.Max(one.Samples)), len(one.Samples), verdict)
	}
	fmt.Fprintf(&b, "\n%v\n", r.Conditions)
	return b.String()
}

// assert fails for every row above its limit, and for limits nobody measured.
func (r *report) assert(t *testing.T) {
	t.Helper()
	measured := map[string]bool{}
	for _, one := range r.Rows {
		measured[one.Work] = true
		if one.Limit != nil && one.Median > *one.Limit {
			t.Errorf("%s: %s, more than %s\n%s", one.Work, number(one.Median), number(*one.Limit), one.Note)
		}
	}
	for work := range budgets() {
		if !measured[work] {
			t.Errorf("%s: has a budget and was not measured", work)
		}
	}
}

func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	if len(sorted) == 0 {
		return 0
	}
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func (r row) budget() string {
	if r.Budget == nil {
		return ""
	}
	return r.number(*r.Budget)
}

// number prints a figure of the row with its unit.
func (r row) number(v float64) string { return strings.TrimSuffix(number(v)+" "+r.Unit, " ") }

// number prints counts whole and the rest with three digits that matter.
func number(v float64) string {
	if v == float64(int64(v)) {
		return fmt.Sprint(int64(v))
	}
	return fmt.Sprintf("%.3g", v)
}
