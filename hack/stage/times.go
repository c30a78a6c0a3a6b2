package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// budgets are the minutes each stage may take in continuous integration on
// 2 cores, in the order they are printed; the whole run may take 45.
var budgets = []struct {
	Name    string
	Minutes float64
}{
	{"tools and control plane", 12},
	{"unit and golden", 8},
	{"integration", 6},
	{"e2e and faults", 10},
	{"simulations", 4},
	{"corpus", 3},
	{"charts", 2},
}

// entry is one finished stage.
type entry struct {
	Name   string
	Took   time.Duration
	Result string
}

// appendTime keeps one line per stage: seconds, result, name.
func appendTime(file string, e entry) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("keep time of %s: %w", e.Name, err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("keep time of %s: %w", e.Name, err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%.1f\t%s\t%s\n", e.Took.Seconds(), e.Result, e.Name); err != nil {
		return fmt.Errorf("keep time of %s: %w", e.Name, err)
	}
	return nil
}

// readTimes reads what appendTime wrote; no file means no stage ran yet.
func readTimes(file string) ([]entry, error) {
	content, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("read stage times: %w", err)
	}
	var entries []entry
	for line := range strings.Lines(string(content)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: cannot read line %q", file, line)
		}
		took, err := time.ParseDuration(fields[0] + "s")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		entries = append(entries, entry{Name: fields[2], Took: took, Result: fields[1]})
	}
	return entries, nil
}

// formatTable adds up the entries of each stage and sets them beside the
// budgets. Stages without a budget come last; budgets without a stage are left
// out, they belong to stages this tree does not have.
func formatTable(entries []entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s %8s %8s  %s\n", "stage", "minutes", "budget", "result")
	var total, allowed float64
	row := func(name string, budget float64) {
		took, result, ran := sumStage(entries, name)
		if !ran {
			return
		}
		if result == "ok" && budget > 0 && took > budget {
			result = "over budget"
		}
		total, allowed = total+took, allowed+budget
		fmt.Fprintf(&b, "%-28s %8.2f %8s  %s\n", name, took, budgetText(budget), result)
	}
	known := map[string]bool{}
	for _, budget := range budgets {
		known[budget.Name] = true
		row(budget.Name, budget.Minutes)
	}
	for _, e := range entries {
		if !known[e.Name] {
			known[e.Name] = true
			row(e.Name, 0)
		}
	}
	fmt.Fprintf(&b, "%-28s %8.2f %8s\n", "all", total, budgetText(allowed))
	return b.String()
}

func budgetText(minutes float64) string {
	if minutes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", minutes)
}

// sumStage adds up, in minutes, what the stage of that name took; one failure
// is the stage's result.
func sumStage(entries []entry, name string) (minutes float64, result string, ran bool) {
	result = "ok"
	for _, e := range entries {
		if e.Name != name {
			continue
		}
		ran = true
		minutes += e.Took.Minutes()
		if e.Result != "ok" {
			result = e.Result
		}
	}
	return minutes, result, ran
}
