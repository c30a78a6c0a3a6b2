package lab

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// quiet is how long the console stays without a line while things start; no
// line may be older than 5 s.
const quiet = 3 * time.Second

// console prints what the lab is doing, with the seconds since its start, and
// repeats itself when nothing new happens for a while.
type console struct {
	began time.Time
	out   io.Writer
	stop  chan struct{}
	done  chan struct{}

	mu   sync.Mutex // guards the rest and the order of lines
	last string
	at   time.Time
}

// newConsole prints progress to stderr, in headless mode as otherwise: stdout
// is for what was asked for.
func newConsole(o DemoOptions, now time.Time) *console {
	c := &console{began: now, out: o.Stderr, at: now, stop: make(chan struct{}), done: make(chan struct{})}
	go c.repeat()
	return c
}

// Say prints one line.
func (c *console) Say(message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.printLocked(message)
	c.last = message
}

func (c *console) printLocked(message string) {
	c.at = time.Now()
	// A terminal that went away has nobody to tell.
	_, _ = fmt.Fprintf(c.out, "[%5.1f s] %s\n", c.at.Sub(c.began).Seconds(), message)
}

// repeat says that it goes on, until settled or closed.
func (c *console) repeat() {
	defer close(c.done)
	ticker := time.NewTicker(quiet / 4)
	defer ticker.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
		}
		c.mu.Lock()
		if c.last != "" && time.Since(c.at) >= quiet {
			c.printLocked("still: " + c.last)
		}
		c.mu.Unlock()
	}
}

// settle ends repetition: the start is over. New lines are still printed.
func (c *console) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = ""
}

// Close ends the console.
func (c *console) Close() {
	close(c.stop)
	<-c.done
}
