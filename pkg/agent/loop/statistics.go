package loop

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/muster-dev/muster/pkg/protocol"
)

// Statistics are the numbers an agent shows of itself.
type Statistics struct {
	applies, deletes int64 // of the loop's goroutine

	mu    sync.Mutex // guards shown
	shown shown
}

type shown struct {
	revision, applies, deletes int64
	counts                     map[protocol.State]int
	refused                    bool
}

// publish copies the numbers for other goroutines.
func (s *Statistics) publish(l *Loop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown.revision, s.shown.applies, s.shown.deletes = l.core.Mark().Revision, s.applies, s.deletes
	s.shown.refused = l.refused != ""
	s.shown.counts = l.core.Counts()
}

// WriteMetrics writes the numbers in Prometheus' text format.
func (l *Loop) WriteMetrics(w io.Writer) error {
	s := &l.statistic
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintf(w, "muster_agent_revision %d\nmuster_agent_applies_total %d\nmuster_agent_deletes_total %d\nmuster_agent_refused %d\n",
		s.shown.revision, s.shown.applies, s.shown.deletes, map[bool]int{true: 1}[s.shown.refused])
	for _, state := range slices.Sorted(maps.Keys(s.shown.counts)) {
		if err == nil {
			_, err = fmt.Fprintf(w, "muster_agent_bundles{state=%q} %d\n", state, s.shown.counts[state])
		}
	}
	return err
}
