package apply

import (
	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/diff"
)

// Explain adds to a sight of an object that is not as we left it what differs
// from the content. A volatile value that is there is as desired, whoever
// wrote it; one that is gone is missed.
func (p *Applier) Explain(l *core.Live, object map[string]any, id content.ID, k content.Key, manager string) {
	o, _, err := p.shelf.Object(id, k)
	if err != nil {
		return // the content was replaced meanwhile: what differs is told by the next sight
	}
	want, err := desired(o, object)
	if err != nil {
		return // a manifest that does not decode was never applied
	}
	for _, c := range diff.Compare(want, object, manager, p.mask) {
		l.Changes = append(l.Changes, c.String())
	}
	l.AsDesired = len(l.Changes) == 0
}
