package lab

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.b.String()), "\n")
}

// While things start no line is older than 5 s, and once they have started
// nothing is repeated.
func TestConsoleRepeatsItselfUntilSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		c := newConsole(DemoOptions{Stderr: &out}, time.Now())
		defer c.Close()
		c.Say("building")
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		if lines := out.lines(); len(lines) < 2 || !strings.HasSuffix(lines[1], "still: building") {
			t.Errorf("after 4.9 s the console says %q, want it to repeat itself", lines)
		}
		c.settle()
		before := len(out.lines())
		time.Sleep(time.Minute)
		synctest.Wait()
		if lines := out.lines(); len(lines) != before {
			t.Errorf("a settled console went on: %q", lines[before:])
		}
	})
}
