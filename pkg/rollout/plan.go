package rollout

import (
	"sort"
	"time"
)

// Strategy says how a change goes out.
type Strategy struct {
	// All sends it everywhere at once.
	All bool
}

// Want is what one cluster shall run of a bundle.
type Want struct {
	// Generation at which this cluster's wanted identity last changed.
	Generation int64
	Content    string
}

// Seen is what one cluster was given last.
type Seen struct {
	Generation int64
	Content    string
}

// Hold is a cluster that waits, and why.
type Hold struct {
	Cluster string
	Reason  string
	Until   time.Time
}

// Plan is one step: who advances, who waits, who is done, and when to look again.
type Plan struct {
	Advance []string
	Held    []Hold
	Done    []string
	// Wake is zero when nothing waits for a time.
	Wake time.Time
}

// Next returns the next step of a rollout: every wanted cluster lands in
// exactly one of Advance, Held and Done. With the strategy All a cluster
// advances as soon as what it was given is not what it shall run.
func Next(_ time.Time, _ Strategy, want map[string]Want, seen map[string]Seen) Plan {
	var p Plan
	for cluster, w := range want {
		s := seen[cluster]
		if s.Generation == w.Generation && s.Content == w.Content {
			p.Done = append(p.Done, cluster)
			continue
		}
		p.Advance = append(p.Advance, cluster)
	}
	sort.Strings(p.Advance)
	sort.Strings(p.Done)
	return p
}
