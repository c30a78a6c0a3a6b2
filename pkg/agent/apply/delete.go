package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
)

// Delete deletes one object, if nobody else would lose something by it.
func (p *Applier) Delete(ctx context.Context, d core.Delete) core.Deleted {
	answer := core.Deleted{Bundle: d.Bundle, Key: d.Key}
	answer.Outcome, answer.Message, answer.Live = p.delete(ctx, d)
	return answer
}

func (p *Applier) delete(ctx context.Context, d core.Delete) (core.DeleteOutcome, string, *core.Live) {
	group, kind, _, _ := d.Key.Split()
	resource, err := p.client.Kinds.Any(group, kind, d.Version)
	if errors.Is(err, kube.ErrNotServed) {
		return core.DeleteGone, "", nil // a complete discovery says so: its objects went with it
	}
	if err != nil {
		return core.DeleteFailed, err.Error(), nil
	}
	if d.Check {
		if message, err := p.losses(ctx, d, resource); err != nil {
			return core.DeleteFailed, err.Error(), nil
		} else if message != "" {
			return core.DeleteBlocked, message, nil
		}
	}
	namespace, name := place(d.Key, resource, content.Options{})
	return p.deleteAt(ctx, d, resource.Path(namespace, name))
}

func (p *Applier) deleteAt(ctx context.Context, d core.Delete, path string) (core.DeleteOutcome, string, *core.Live) {
	data, err := p.client.Delete(ctx, d.ServiceAccount, path, d.UID)
	switch {
	case kube.IsGone(err):
		return core.DeleteGone, "", nil
	case kube.IsStatus(err, 409):
		return p.conflicted(ctx, d, path)
	case err != nil:
		return core.DeleteFailed, redact(err, d.Key), nil
	}
	outcome, message := remaining(data)
	return outcome, message, nil
}

// conflicted looks why a delete with our uid was refused: another object of
// that name is not ours.
func (p *Applier) conflicted(ctx context.Context, d core.Delete, path string) (core.DeleteOutcome, string, *core.Live) {
	live, err := p.read(ctx, path)
	if err != nil {
		return core.DeleteFailed, redact(err, d.Key), nil
	}
	if live == nil || live.UID != d.UID {
		return core.DeleteGone, "", live
	}
	if live.Terminating {
		return core.DeleteTerminating, "is being deleted", nil
	}
	return core.DeleteFailed, "the API server refused the delete as a conflict", nil
}

// remaining reads a delete's answer: a Status when the object is gone, else
// the object with what it waits for.
func remaining(data []byte) (core.DeleteOutcome, string) {
	var answer struct {
		Kind     string `json:"kind"`
		Status   any    `json:"status"`
		Metadata struct {
			UID               string   `json:"uid"`
			DeletionTimestamp string   `json:"deletionTimestamp"`
			Finalizers        []string `json:"finalizers"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return core.DeleteFailed, fmt.Sprintf("decode the answer of a delete: %v", err)
	}
	if answer.Kind == "Status" || answer.Metadata.UID == "" {
		return core.DeleteGone, ""
	}
	if len(answer.Metadata.Finalizers) > 0 {
		return core.DeleteTerminating, "waits for finalizers " + strings.Join(answer.Metadata.Finalizers, ", ")
	}
	return core.DeleteTerminating, "is being deleted"
}

// losses says what others would lose with a namespace or a definition.
func (p *Applier) losses(ctx context.Context, d core.Delete, r kube.Resource) (string, error) {
	_, _, _, name := d.Key.Split()
	if r.Kind == "Namespace" {
		return p.foreignIn(ctx, name, core.ShortUID(d.Bundle))
	}
	return p.instancesOf(ctx, r.Path("", name))
}

// instancesOf says whether objects of a definition exist.
func (p *Applier) instancesOf(ctx context.Context, path string) (string, error) {
	data, err := p.client.Get(ctx, path)
	if kube.IsGone(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	resource, ok := kube.Defined(data)
	if !ok {
		return "", nil
	}
	found := 0
	_, _, err = p.client.List(ctx, resource.Path("", ""), kube.ListOptions{Metadata: true, Pages: 1, Limit: 1},
		func(json.RawMessage) error { found++; return nil })
	if kube.IsGone(err) {
		return "", nil // not served, so there are none
	}
	if err != nil || found == 0 {
		return "", err
	}
	return fmt.Sprintf("objects of kind %s exist", resource.Kind), nil
}

// foreignIn names an object in a namespace that is not ours and that nothing
// of ours made. It needs to see everything: a group that cannot be discovered
// could hide something.
func (p *Applier) foreignIn(ctx context.Context, namespace, ours string) (string, error) {
	if err := p.client.Kinds.Refresh(ctx); err != nil {
		return "", err
	}
	if !p.client.Kinds.Complete() {
		return "", errors.New("some API groups cannot be discovered, they could hold objects")
	}
	for _, r := range p.client.Kinds.All() {
		if !r.Namespaced || derived[r.Kind] {
			continue
		}
		name, err := p.foreignOf(ctx, r, namespace, ours)
		if err != nil {
			return "", err
		}
		if name != "" {
			return fmt.Sprintf("%s %s in it is not ours", r.Kind, name), nil
		}
	}
	return "", nil
}

// derived are kinds that others write about objects: they go with them.
var derived = map[string]bool{"Event": true, "Endpoints": true, "EndpointSlice": true, "Lease": true, "PodMetrics": true, "ControllerRevision": true}

func (p *Applier) foreignOf(ctx context.Context, r kube.Resource, namespace, ours string) (string, error) {
	found := ""
	_, _, err := p.client.List(ctx, r.Path(namespace, ""), kube.ListOptions{Metadata: true},
		func(data json.RawMessage) error {
			if name := foreignName(data, ours); name != "" && found == "" && !always(r.Kind, name) {
				found = name
			}
			return nil
		})
	if kube.IsGone(err) || kube.IsStatus(err, 405) {
		return "", nil
	}
	return found, err
}

// always are what every namespace holds.
func always(kind, name string) bool {
	return kind == "ServiceAccount" && name == "default" || kind == "ConfigMap" && name == "kube-root-ca.crt"
}

// foreignName returns an object's name unless it is the bundle's own, made by a
// controller for another object, or on its way out.
func foreignName(data []byte, ours string) string {
	var object struct {
		Metadata struct {
			Name              string            `json:"name"`
			Labels            map[string]string `json:"labels"`
			OwnerReferences   []json.RawMessage `json:"ownerReferences"`
			DeletionTimestamp string            `json:"deletionTimestamp"`
		} `json:"metadata"`
	}
	if json.Unmarshal(data, &object) != nil {
		return "unreadable"
	}
	m := object.Metadata
	if len(m.OwnerReferences) > 0 || m.DeletionTimestamp != "" || m.Labels[v1alpha1.LabelBundle] == ours {
		return ""
	}
	return m.Name
}
