package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/inventory"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// rebuild finds lost inventories on the cluster itself, by the owner
// annotations, before anything is deleted. It happens on a start without a
// journal, and when a state that the journal knows of is missing.
func (l *Loop) rebuild(ctx context.Context, f *inventory.Found) error {
	if !f.Fresh && len(f.Lost) == 0 {
		return nil
	}
	found := map[string]*core.Inventory{}
	for _, r := range l.client.Kinds.All() {
		if err := l.rebuildKind(ctx, r, found); err != nil {
			return fmt.Errorf("rebuild inventories: %w", err)
		}
	}
	for uid, inv := range found {
		if f.Fresh || slices.Contains(f.Lost, uid) {
			f.Bundles = append(f.Bundles, core.Loaded{Inventory: *inv})
			l.log.Warn("inventory was rebuilt from the cluster", "bundle", uid, "objects", len(inv.Entries))
		}
	}
	return nil
}

func (l *Loop) rebuildKind(ctx context.Context, r kube.Resource, found map[string]*core.Inventory) error {
	_, _, err := l.client.List(ctx, r.Path("", ""), kube.ListOptions{Selector: v1alpha1.LabelBundle, Metadata: true},
		func(data json.RawMessage) error {
			object, err := decodeRaw(data)
			if err != nil {
				return err
			}
			take(r, object, found)
			return nil
		})
	if kube.IsGone(err) || kube.IsStatus(err, 405) || kube.IsStatus(err, 403) {
		return nil // not listable by us, so we never applied it
	}
	return err
}

func take(r kube.Resource, object raw, found map[string]*core.Inventory) {
	uid, intent, ok := strings.Cut(object.Metadata.Annotations[v1alpha1.AnnotationOwner], "/")
	if !ok || object.Metadata.Labels[v1alpha1.LabelBundle] != core.ShortUID(uid) {
		return // a copy that carries our annotation by accident
	}
	inv := found[uid]
	if inv == nil {
		inv = &core.Inventory{Version: core.StateVersion, UID: uid}
		found[uid] = inv
	}
	inv.Entries = append(inv.Entries, core.Entry{
		Key:     content.NewKey(r.Group, r.Kind, object.Metadata.Namespace, object.Metadata.Name),
		Version: r.Version, Intent: intent, UID: object.Metadata.UID,
	})
}
