package distribution

import (
	"sync"
	"time"
)

// Hold lets no cluster of some workspaces be composed until release is called,
// so that what changes together is assigned together.
func (c *Composer) Hold(workspaces ...string) (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, workspace := range workspaces {
		c.held[workspace]++
	}
	var once sync.Once
	return func() { once.Do(func() { c.release(workspaces) }) }
}

func (c *Composer) release(workspaces []string) {
	c.mu.Lock()
	for _, workspace := range workspaces {
		if c.held[workspace]--; c.held[workspace] == 0 {
			delete(c.held, workspace)
		}
	}
	var marked []string
	for cluster := range c.waiting {
		if c.held[workspaceOf(cluster)] == 0 {
			marked = append(marked, cluster)
			delete(c.waiting, cluster)
		}
	}
	c.mu.Unlock()
	for _, cluster := range marked {
		c.dirty(cluster)
	}
}

// workspacesOf are the workspaces whose clusters have any of these bundles, and their own.
func (c *Composer) workspacesOf(workspace string, departing []Departing) []string {
	set := map[string]bool{workspace: true}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range departing {
		if b := c.bundles[workspace+"/"+one.Bundle.Name]; b != nil {
			addWorkspaces(set, b.wants)
		}
	}
	return sortedNames(set)
}

// Mark asks for a cluster to be composed, now or when its workspace is released.
func (c *Composer) Mark(cluster string) {
	c.mu.Lock()
	held := c.held[workspaceOf(cluster)] > 0
	if held {
		c.waiting[cluster] = true
	}
	c.mu.Unlock()
	if !held {
		c.dirty(cluster)
	}
}

// mustWait keeps documents MinInterval apart, and held workspaces alone.
func (c *Composer) mustWait(cluster string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[workspaceOf(cluster)] > 0 {
		c.waiting[cluster] = true
		return time.Hour // The release marks it long before.
	}
	if since := c.clock.Since(c.wrote[cluster]); since < MinInterval {
		return MinInterval - since
	}
	return 0
}
