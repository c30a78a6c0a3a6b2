package main

import (
	"fmt"
	"os"
	"time"
)

// screen prints one target's state so that what can be seen is never older than
// 5 seconds: on a terminal one line that is rewritten, elsewhere a line at a time.
type screen struct {
	out      *os.File
	name     string
	terminal bool
	period   time.Duration
	begun    time.Time
	shown    time.Time
	text     string
}

func newScreen(out *os.File, name string) *screen {
	s := &screen{out: out, name: name, period: 4 * time.Second, begun: time.Now()}
	s.shown = s.begun
	if info, err := out.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
		s.terminal, s.period = true, time.Second
	}
	return s
}

// update sets the text that is shown next; a terminal shows it at once.
func (s *screen) update(text string) {
	s.text = text
	if s.terminal {
		s.show(time.Now())
	}
}

// tick shows the current text again if it was last shown a period ago.
func (s *screen) tick(now time.Time) {
	if now.Sub(s.shown) >= s.period {
		s.show(now)
	}
}

// show prints the current text with the time that has passed.
func (s *screen) show(now time.Time) {
	s.shown = now
	line := fmt.Sprintf("%s: %s (%s)", s.name, s.text, now.Sub(s.begun).Round(time.Second))
	if s.terminal {
		fmt.Fprintf(s.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(s.out, line)
}

// say prints a line that stays.
func (s *screen) say(text string) {
	if s.text == "" {
		s.text = text
	}
	s.clear()
	fmt.Fprintf(s.out, "%s: %s\n", s.name, text)
}

// done prints the last line.
func (s *screen) done(text string) {
	s.clear()
	fmt.Fprintf(s.out, "%s: %s\n", s.name, text)
}

func (s *screen) clear() {
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}
