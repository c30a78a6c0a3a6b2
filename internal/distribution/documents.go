package distribution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

// assignment returns the stored Assignment, creating an empty one to learn its uid.
func (c *Composer) assignment(ctx context.Context, workspace, name string) (*v1alpha1.Assignment, error) {
	key := client.ObjectKey{Namespace: c.namespace, Name: MachineName(workspace, name)}
	var a v1alpha1.Assignment
	err := c.client.Get(ctx, key, &a)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read Assignment %s: %w", key, err)
	}
	if newest, ok := c.assignments.Newest(key, &a, err == nil); ok {
		return newest, nil
	}
	created := &v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if err := c.client.Create(ctx, created); err != nil {
		return nil, fmt.Errorf("create Assignment %s: %w", key, err)
	}
	c.assignments.Wrote(created)
	return created, nil
}

func (c *Composer) previous(ctx context.Context, cluster string, a *v1alpha1.Assignment) (*protocol.Document, error) {
	d, err := c.Document(ctx, workspaceOf(cluster), a)
	if err != nil || d == nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.documents[cluster] = d
	return d, nil
}

// Document decodes an Assignment's document with all its entries; nil if it has none yet.
func (c *Composer) Document(ctx context.Context, workspace string, a *v1alpha1.Assignment) (*protocol.Document, error) {
	if a.Spec.Document == "" {
		return nil, nil
	}
	var d protocol.Document
	if err := json.Unmarshal([]byte(a.Spec.Document), &d); err != nil {
		return nil, fmt.Errorf("read the document of Assignment %s: %w", a.Name, err)
	}
	if d.EntriesRef == "" {
		return &d, nil
	}
	data, err := c.store.Get(ctx, workspace, content.ID(d.EntriesRef))
	if err != nil {
		return nil, fmt.Errorf("read the entries of Assignment %s: %w", a.Name, err)
	}
	var list protocol.EntryList
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read the entries of Assignment %s: %w", a.Name, err)
	}
	d.Entries = list.Entries
	return &d, nil
}

func (c *Composer) report(ctx context.Context, obj *v1alpha1.Cluster) (*Acknowledged, error) {
	var r v1alpha1.ClusterReport
	err := c.client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: MachineName(obj.Namespace, obj.Name)}, &r)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the report of cluster %s/%s: %w", obj.Namespace, obj.Name, err)
	}
	return AcknowledgedBy(&r.Spec), nil
}

// AcknowledgedBy reduces a report to what composing needs.
func AcknowledgedBy(r *v1alpha1.ClusterReportSpec) *Acknowledged {
	out := &Acknowledged{Assignment: r.Assignment, Epoch: r.Epoch, Revision: r.Revision, Unsettled: map[string]bool{}, More: r.NotReady > len(r.Bundles)}
	for _, h := range r.Heads {
		workspace, name := splitKey(h.Bundle)
		out.Heads = append(out.Heads, protocol.Head{UID: h.UID, Workspace: workspace, Bundle: name, Generation: h.Generation})
	}
	for _, b := range r.Bundles {
		out.Unsettled[b.UID] = true
	}
	return out
}

// write signs and stores a document. The same bytes are stored and served.
func (c *Composer) write(ctx context.Context, cluster string, a *v1alpha1.Assignment, composed Composed) error {
	d := composed.Document
	stored := d
	if composed.EntryList != nil {
		ref, err := c.storeEntries(ctx, cluster, *composed.EntryList)
		if err != nil {
			return err
		}
		stored.Entries, stored.EntriesRef = []protocol.Entry{}, ref
	}
	next, err := c.signed(a, stored)
	if err != nil {
		return fmt.Errorf("sign the document of cluster %s: %w", cluster, err)
	}
	next.Spec.Bundles = len(d.Entries)
	if err := c.client.Update(ctx, next); err != nil {
		c.assignments.Forget(client.ObjectKeyFromObject(a))
		return fmt.Errorf("write the Assignment of cluster %s: %w", cluster, err)
	}
	c.assignments.Wrote(next)
	c.mu.Lock()
	c.documents[cluster] = &d
	c.wrote[cluster] = c.clock.Now()
	c.mu.Unlock()
	c.written(cluster)
	return nil
}

func (c *Composer) signed(a *v1alpha1.Assignment, d protocol.Document) (*v1alpha1.Assignment, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	signature, err := c.signer.Sign(protocol.Header{
		Hub: d.Hub, Cluster: d.Cluster, Assignment: d.Assignment, Epoch: d.Epoch, Revision: d.Revision,
		Digest: protocol.DigestOf(string(text)),
	})
	if err != nil {
		return nil, err
	}
	next := a.DeepCopy()
	next.Spec = v1alpha1.AssignmentSpec{
		Epoch: d.Epoch, Revision: d.Revision, Removals: len(d.Removals), Document: string(text), Signature: signature,
	}
	return next, nil
}

func (c *Composer) storeEntries(ctx context.Context, cluster string, list protocol.EntryList) (string, error) {
	data, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("encode the entries of cluster %s: %w", cluster, err)
	}
	workspace, name := splitKey(cluster)
	id := content.IDOf(data)
	err = c.store.Put(ctx, content.Pack{Workspace: workspace, Bundle: "entries-of-" + name, Blobs: []content.Blob{{Kind: content.KindEntries, ID: id, Data: data}}})
	return string(id), err
}

// AssignmentGone drops what is remembered of an Assignment that is not stored any more.
func (c *Composer) AssignmentGone(workspace, name string) {
	c.assignments.Forget(client.ObjectKey{Namespace: c.namespace, Name: MachineName(workspace, name)})
}

// ForgetCluster drops what is remembered of a cluster that was deleted, and
// deletes its Assignment and report: it is forgotten and revoked, and nothing
// on it is removed.
func (c *Composer) ForgetCluster(ctx context.Context, workspace, name string) error {
	key := client.ObjectKey{Namespace: c.namespace, Name: MachineName(workspace, name)}
	c.assignments.Forget(key)
	c.mu.Lock()
	delete(c.documents, workspace+"/"+name)
	delete(c.wrote, workspace+"/"+name)
	c.mu.Unlock()
	c.composed(workspace + "/" + name)
	meta := metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	return errors.Join(
		client.IgnoreNotFound(c.client.Delete(ctx, &v1alpha1.Assignment{ObjectMeta: meta})),
		client.IgnoreNotFound(c.client.Delete(ctx, &v1alpha1.ClusterReport{ObjectMeta: meta})),
	)
}
