package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAStageFailsWhenItsCommandFailsOrTestsNothing(t *testing.T) {
	tests := map[string]struct {
		script string
		tests  bool
		want   int
	}{
		"a command that works":         {script: "echo done"},
		"a command that fails":         {script: "exit 3", want: 3},
		"tests that ran":               {script: `printf 'ok  \tm/a\t0.1s\n'`, tests: true},
		"tests from the cache":         {script: `printf 'ok  \tm/a\t(cached)\n'`, tests: true},
		"tests without a last newline": {script: `printf 'ok  \tm/a\t0.1s'`, tests: true},
		"no package matched":           {script: "echo 'no packages to test'", tests: true, want: 1},
		"packages without tests":       {script: `printf '?   \tm/a\t[no test files]\n'`, tests: true, want: 1},
		"nothing matched -run":         {script: `printf 'ok  \tm/a\t0.1s [no tests to run]\n'`, tests: true, want: 1},
		"tests that failed":            {script: `printf 'ok  \tm/a\t0.1s\nFAIL\tm/b\t0.1s\n'; exit 1`, tests: true, want: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			got, err := runStage(filepath.Join(t.TempDir(), "times"), "s", []string{"sh", "-c", tt.script}, tt.tests, &out)
			if got != tt.want {
				t.Errorf("stage %q: exit code %d (error %v), want %d; it printed:\n%s", tt.script, got, err, tt.want, out.String())
			}
		})
	}
}

func TestAStageKeepsItsTimeAlsoWhenItFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "times")
	for _, script := range []string{"true", "false"} {
		if _, err := runStage(file, "charts", []string{"sh", "-c", script}, false, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readTimes(file)
	if err != nil || len(got) != 2 || got[0].Result != "ok" || got[1].Result != "FAILED" {
		t.Errorf("readTimes = %v, %v; want one ok and one FAILED", got, err)
	}
}

func TestFormatTableAddsUpStagesAndComparesWithBudgets(t *testing.T) {
	entries := []entry{
		{Name: "e2e and faults", Took: 11 * time.Minute, Result: "ok"},
		{Name: "unit and golden", Took: 2 * time.Minute, Result: "ok"},
		{Name: "unit and golden", Took: 90 * time.Second, Result: "FAILED"},
		{Name: "something else", Took: time.Minute, Result: "ok"},
	}
	want := strings.Join([]string{
		"stage                         minutes   budget  result",
		"unit and golden                  3.50        8  FAILED",
		"e2e and faults                  11.00       10  over budget",
		"something else                   1.00        -  ok",
		"all                             15.50       18",
		"",
	}, "\n")
	if got := formatTable(entries); got != want {
		t.Errorf("formatTable:\n%s\nwant:\n%s", got, want)
	}
}
