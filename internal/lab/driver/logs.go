package driver

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// alarms are what no log of ours may contain: a data race found by the race
// detector does not end a process, and one that panicked is started again.
func alarms() []string {
	return []string{"WARNING: DATA RACE", "panic: ", "fatal error: "}
}

// alarmLines is how many lines are shown from an alarm on.
const alarmLines = 40

// Alarms returns what the logs of the manager, the agents and the Git server
// say of data races and panics, with file and line; none is what is wanted.
func (d *Demo) Alarms() ([]string, error) {
	var found []string
	for _, pattern := range []string{"manager.log", "agent-*.log", "git.log"} {
		files, err := filepath.Glob(filepath.Join(d.Dir, "logs", pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			more, err := alarmsOf(file)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

func alarmsOf(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var found []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	showing := 0
	for n := 1; lines.Scan(); n++ {
		if showing == 0 && alarming(lines.Text()) {
			found = append(found, fmt.Sprintf("%s:%d:", file, n))
			showing = alarmLines
		}
		if showing > 0 {
			showing--
			found[len(found)-1] += "\n" + lines.Text()
		}
	}
	return found, lines.Err()
}

func alarming(line string) bool {
	for _, alarm := range alarms() {
		if strings.HasPrefix(strings.TrimSpace(line), alarm) {
			return true
		}
	}
	return false
}
