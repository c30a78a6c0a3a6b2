package hubclient

import (
	"net/http"
	"sync"
	"time"
)

// hubClock shows the hub's time: the local clock and an offset learnt from
// answers, never less than the latest time that the hub signed. Edge clocks
// may be a year off.
type hubClock struct {
	local func() time.Time
	mu    sync.Mutex
	// offset, known and floor are guarded by mu.
	offset time.Duration
	known  bool
	floor  time.Time
}

// Now is the hub's time as far as the agent knows.
func (c *hubClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.local().Add(c.offset)
	if now.Before(c.floor) {
		return c.floor
	}
	return now
}

// learn takes the Date of an answer. It counts whole seconds and was written
// while the request travelled: offsets below two seconds are no news.
func (c *hubClock) learn(h http.Header) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	offset := date.Sub(c.local())
	if d := offset - c.offset; !c.known || d > 2*time.Second || d < -2*time.Second {
		c.offset = offset
	}
	if c.offset > -2*time.Second && c.offset < 2*time.Second {
		c.offset = 0
	}
	c.known = true
}

// least raises the floor to a time that the hub signed.
func (c *hubClock) least(unix int64) {
	t := time.Unix(unix, 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.floor) {
		c.floor = t
	}
}

// isKnown tells whether the hub's time was heard since the agent started.
func (c *hubClock) isKnown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known
}

// Offset is how far the hub's clock is ahead of the local one.
func (c *hubClock) Offset() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}
