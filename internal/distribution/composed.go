package distribution

import (
	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/status"
)

// Facing returns what a bundle's state on a cluster depends on, as far as the composer knows it.
func (c *Composer) Facing(bundle, cluster string) status.Facing {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := status.Facing{Document: c.documents[cluster]}
	b := c.bundles[bundle]
	if b == nil {
		return f
	}
	w := b.wantOn(cluster)
	f.UID, f.Generation, f.Content = b.uid, w.Generation, string(w.Content)
	f.Wanted, f.Held = w.Verdict == Wanted, w.Verdict == HeldLoss
	return f
}

// Told returns the id of the wants of a bundle whose consequences Touched has
// been told of; "" while that is under way. A rollout with other wants is not
// what any state speaks of yet.
func (c *Composer) Told(bundle string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.bundles[bundle]; b != nil && b.told {
		return b.wantsID
	}
	return ""
}

// BundlesOn lists the bundles (workspace/name) that want a cluster or hold its removal.
func (c *Composer) BundlesOn(cluster string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	on := map[string]bool{}
	for name, b := range c.bundles {
		if v := b.wantOn(cluster).Verdict; v == Wanted || v == HeldLoss {
			on[name] = true
		}
	}
	return sortedNames(on)
}

// Disagreeing lists the bundles (workspace/name) whose content on a cluster was
// rendered with other answers than a cluster with these facts gives, or may have been.
func (c *Composer) Disagreeing(cluster string, facts renderer.Facts) []string {
	disagree := map[string]bool{}
	ask := asker(facts) // bundles ask few different questions
	for name, v := range c.variantsOn(cluster) {
		if v.namedByFacts() {
			disagree[name] = true
		}
		for question, answer := range v.Answers {
			if ask(question) != answer {
				disagree[name] = true
			}
		}
	}
	return sortedNames(disagree)
}

// variantsOn lists what every known bundle wants and is given on a cluster, by workspace/name.
func (c *Composer) variantsOn(cluster string) map[string]Variant {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]Variant{}
	for name, b := range c.bundles {
		if v, _, ok := b.wants.VariantOf(cluster); ok && !b.removing && !b.paused {
			out[name] = v
		}
	}
	return out
}

// highestGeneration is the greatest generation of a bundle that any document carries.
func (c *Composer) highestGeneration(uid string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var highest int64
	for _, d := range c.documents {
		for _, e := range d.Entries {
			if e.UID == uid {
				highest = max(highest, e.Generation)
			}
		}
	}
	return highest
}

// Assigned lists clusters whose stored document still has an entry of the
// bundle, or that are to be told to remove it and were not yet.
func (c *Composer) Assigned(uid string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := sortedNames(c.leaving[uid])
	for cluster, d := range c.documents {
		for _, e := range d.Entries {
			if e.UID == uid {
				out = append(out, cluster)
				break
			}
		}
	}
	return out
}
