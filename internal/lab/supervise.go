package lab

import (
	"context"
	"sync"
	"time"

	"github.com/muster-dev/muster/internal/lab/process"
)

// restartAfter is how long a dead component stays dead, as in Kubernetes' first
// back-off.
const restartAfter = time.Second

// componentGrace is how long a component may take to end.
const componentGrace = 5 * time.Second

// component is a manager or an agent: started again when it dies.
type component struct {
	name string
	spec process.Spec
	// changed is told of each start after the first, and of failures to start.
	changed func(message string)

	mu      sync.Mutex // guards current
	current *process.Process
}

// start starts the component for the first time.
func (c *component) start() error {
	p, err := process.Start(c.spec)
	if err != nil {
		return err
	}
	c.set(p)
	return nil
}

// supervise starts the component again whenever it ends, until ctx does; then
// it ends the component and returns when it is gone.
func (c *component) supervise(ctx context.Context) {
	for {
		p := c.process()
		select {
		case <-ctx.Done():
			p.Stop(componentGrace)
			return
		case <-p.Done():
		}
		p.Kill() // what it may have left of its group
		if !c.revive(ctx) {
			return
		}
	}
}

// revive starts the component again; false if ctx ended first.
func (c *component) revive(ctx context.Context) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(restartAfter):
		}
		p, err := process.Start(c.spec)
		if err != nil {
			c.changed(err.Error())
			continue
		}
		c.set(p)
		c.changed(c.name + " had died and was started again")
		return true
	}
}

func (c *component) set(p *process.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = p
}

func (c *component) process() *process.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// pid of the running process, or of the last one.
func (c *component) pid() int { return c.process().PID() }
