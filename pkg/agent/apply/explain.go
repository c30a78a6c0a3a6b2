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
	o, options, err := p.shelf.Object(id, k)
	if err != nil {
		return // the content was replaced meanwhile: what differs is told by the next sight
	}
	want, err := desired(o, object)
	if err != nil {
		return // a manifest that does not decode was never applied
	}
	diff.NewExemptions(options.ComparePatches).Strip(nameOf(k, object), want)
	for _, c := range diff.Compare(want, object, manager, p.mask) {
		l.Changes = append(l.Changes, c.String())
	}
	l.AsDesired = len(l.Changes) == 0
}

// nameOf names a live object as exemptions do: its key may lack the namespace.
func nameOf(k content.Key, object map[string]any) diff.Object {
	group, kind, namespace, name := k.Split()
	metadata, _ := object["metadata"].(map[string]any)
	if live, ok := metadata["namespace"].(string); ok {
		namespace = live
	}
	return diff.Object{Group: group, Kind: kind, Namespace: namespace, Name: name}
}
