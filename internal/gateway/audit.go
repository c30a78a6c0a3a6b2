package gateway

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// auditPage is how many Clusters one request lists.
const auditPage = 500

// audit compares the open streams with the live Clusters every so often: a
// watch that went silent must not keep a revoked agent connected for longer
// than a minute. While the hub's API does not answer, nothing can be said of
// anybody and every stream ends; agents go on with what they have.
func (g *Gateway) audit(ctx context.Context) {
	ticker := time.NewTicker(g.opts.Timing.Audit)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if g.streams.len() == 0 {
			continue
		}
		if err := g.auditOnce(ctx); err != nil && ctx.Err() == nil {
			g.log.Error(err, "Could not compare streams with clusters")
		}
	}
}

// auditOnce ends the streams of clusters that are not there any more.
func (g *Gateway) auditOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timing.Audit/2)
	defer cancel()
	there, err := g.liveClusters(ctx)
	if err != nil {
		g.streams.closeWhere(func(client.ObjectKey) bool { return true })
		return err
	}
	g.streams.closeWhere(func(name client.ObjectKey) bool {
		m := g.index.get(name)
		return m == nil || there[name] != types.UID(m.object)
	})
	return nil
}

// liveClusters lists names and uids only, a page at a time: a few hundred bytes each.
func (g *Gateway) liveClusters(ctx context.Context) (map[client.ObjectKey]types.UID, error) {
	there := map[client.ObjectKey]types.UID{}
	page := ""
	for {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClusterList"))
		if err := g.live.List(ctx, &list, client.Limit(auditPage), client.Continue(page)); err != nil {
			return nil, fmt.Errorf("list clusters: %w", err)
		}
		for _, c := range list.Items {
			if c.DeletionTimestamp.IsZero() {
				there[client.ObjectKeyFromObject(&c)] = c.UID
			}
		}
		if page = list.Continue; page == "" {
			return there, nil
		}
	}
}
