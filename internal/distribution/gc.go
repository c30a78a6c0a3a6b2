package distribution

import (
	"time"

	"github.com/muster-dev/muster/pkg/content"
)

// Grace is how long content stays after the last thing that reached it went:
// an agent may still be fetching what it was assigned a moment ago.
const Grace = time.Hour

// Sweeper remembers since when packs have been unreachable. It forgets with
// its process, which only makes content stay longer.
type Sweeper struct {
	since map[string]time.Time
}

// Sweep returns the packs of which no item has been reachable for Grace.
// reachable says whether anything stored still names the item.
func (s *Sweeper) Sweep(now time.Time, packs []StoredPack, reachable func(workspace string, id content.ID) bool) []string {
	next := map[string]time.Time{}
	var dead []string
	for _, p := range packs {
		if p.Asked || anyReachable(p, reachable) {
			continue
		}
		since, ok := s.since[p.Name]
		if !ok {
			since = now
		}
		if now.Sub(since) >= Grace {
			dead = append(dead, p.Name)
			continue
		}
		next[p.Name] = since
	}
	s.since = next
	return dead
}

func anyReachable(p StoredPack, reachable func(string, content.ID) bool) bool {
	for _, e := range p.Items {
		if reachable(p.Workspace, e.ID) {
			return true
		}
	}
	return false
}
