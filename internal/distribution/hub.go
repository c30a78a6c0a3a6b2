package distribution

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// HubConfigMap holds what the hub says of itself, in the manager's namespace.
const HubConfigMap = "muster-hub"

// HoldHubRestore is the hold that `muster approve hub-restore` releases.
const HoldHubRestore = "hub-restore"

// Keys of HubConfigMap.
const (
	hubEpoch       = "epoch"
	hubWentBack    = "wentBack"
	hubURL         = "url"
	hubFingerprint = "fingerprint"
	hubID          = "id"
)

// Hub is the hub's epoch, and whether it went back in time: a restored backup
// must not order clusters about before a person says so (RELIABILITY F11).
type Hub struct {
	cached    client.Client
	live      client.Reader
	namespace string

	mu       sync.Mutex // guards the fields below
	epoch    int64
	wentBack string
	recorded bool // wentBack is stored
}

// NewHub returns the hub state kept in namespace.
func NewHub(cached client.Client, live client.Reader, namespace string) *Hub {
	return &Hub{cached: cached, live: live, namespace: namespace}
}

// About is what clients need to know of the hub: `muster cluster token` reads it.
type About struct{ ID, URL, Fingerprint string }

// Load reads the state, creating it at epoch 1, and publishes about. An
// approval that was given while no manager ran is acted on here.
func (h *Hub) Load(ctx context.Context, now time.Time, about About) error {
	cm, err := h.read(ctx)
	if apierrors.IsNotFound(err) {
		cm = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: HubConfigMap}, Data: map[string]string{hubEpoch: "1"}}
		about.into(cm.Data)
		err = h.cached.Create(ctx, cm)
	}
	if err != nil {
		return fmt.Errorf("read ConfigMap %s/%s: %w", h.namespace, HubConfigMap, err)
	}
	if about.into(cm.Data) {
		if err := h.cached.Update(ctx, cm); err != nil {
			return fmt.Errorf("publish the hub's address in ConfigMap %s/%s: %w", h.namespace, HubConfigMap, err)
		}
	}
	return h.Observe(ctx, now, cm)
}

func (a About) into(data map[string]string) bool {
	changed := false
	for k, v := range map[string]string{hubURL: a.URL, hubFingerprint: a.Fingerprint, hubID: a.ID} {
		if v != "" && data[k] != v {
			data[k] = v
			changed = true
		}
	}
	return changed
}

func (h *Hub) read(ctx context.Context) (*corev1.ConfigMap, error) {
	var cm corev1.ConfigMap
	err := h.live.Get(ctx, client.ObjectKey{Namespace: h.namespace, Name: HubConfigMap}, &cm)
	if err == nil && cm.Data == nil {
		cm.Data = map[string]string{}
	}
	return &cm, err
}

// Observe takes over what the ConfigMap says, and releases the hold when it was approved.
func (h *Hub) Observe(ctx context.Context, now time.Time, cm *corev1.ConfigMap) error {
	epoch, err := strconv.ParseInt(cm.Data[hubEpoch], 10, 64)
	if err != nil {
		return fmt.Errorf("ConfigMap %s/%s key %s: %w", h.namespace, HubConfigMap, hubEpoch, err)
	}
	wentBack := cm.Data[hubWentBack]
	if wentBack != "" && cm.Annotations[v1alpha1.AnnotationApprove] == HoldHubRestore {
		return h.approve(ctx, now, cm, wentBack, epoch)
	}
	h.set(epoch, wentBack, true)
	return nil
}

// approve starts an epoch above every one that was ever seen.
func (h *Hub) approve(ctx context.Context, now time.Time, cm *corev1.ConfigMap, wentBack string, epoch int64) error {
	var seen int64
	if _, err := fmt.Sscanf(wentBack, "epoch %d", &seen); err != nil {
		seen = 0 // Written by hand, perhaps: the clock and our own epoch still bound it.
	}
	next := max(now.Unix(), epoch+1, seen+1)
	cm = cm.DeepCopy()
	cm.Data[hubEpoch] = strconv.FormatInt(next, 10)
	delete(cm.Data, hubWentBack)
	delete(cm.Annotations, v1alpha1.AnnotationApprove)
	if err := h.cached.Update(ctx, cm); err != nil {
		return fmt.Errorf("start epoch %d: %w", next, err)
	}
	h.set(next, "", true)
	return nil
}

func (h *Hub) set(epoch int64, wentBack string, recorded bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch, h.wentBack, h.recorded = epoch, wentBack, recorded
}

func (h *Hub) isRecorded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.recorded
}

// Epoch returns the current epoch, and why nothing may be assigned, if so.
func (h *Hub) Epoch() (epoch int64, wentBack string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.epoch, h.wentBack
}

// WentBack stops every assignment hub-wide: an agent showed a document, signed
// by this hub, that is newer than what the hub has by a live read.
func (h *Hub) WentBack(ctx context.Context, seen protocol.Header) error {
	epoch, already := h.Epoch()
	if already != "" && h.isRecorded() {
		return nil
	}
	text := fmt.Sprintf("epoch %d revision %d of cluster %s is newer than what this hub has; was it restored from a backup? Approve with: muster approve %s",
		seen.Epoch, seen.Revision, seen.Cluster, HoldHubRestore)
	// Stop at once; a record that fails is tried again when the next agent shows its document.
	h.set(epoch, text, false)
	cm, err := h.read(ctx)
	if err != nil {
		return fmt.Errorf("record that the hub went back: %w", err)
	}
	cm.Data[hubWentBack] = text
	if err := h.cached.Update(ctx, cm); err != nil {
		return fmt.Errorf("record that the hub went back: %w", err)
	}
	h.set(epoch, text, true)
	return nil
}
