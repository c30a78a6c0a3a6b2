package gateway_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

func impatient(o *gateway.Options) { o.Timing.Behind = 100 * time.Millisecond }

func TestHubThatWentBackUnderAnOpenStreamIsNoticed(t *testing.T) {
	h := newHub(t)
	r := h.start(impatient)
	id := r.joined("a")
	h.compose(id, 1, 5)
	var s states
	updates, _ := watching(t, r.client(id, listening(&s)), "")
	next(t, "revision 5", updates)
	h.compose(id, 1, 3)
	if header := next(t, "the manager is told", r.wentBack); header.Revision != 5 {
		t.Errorf("header %+v", header)
	}
	select {
	case u := <-updates:
		t.Errorf("revision %d was sent after 5", u.Document.Revision)
	default:
	}
}

// TestRemovedClusterIsNoHubThatWentBack: the manager deletes a removed
// cluster's Assignment; that must not stop all others.
func TestRemovedClusterIsNoHubThatWentBack(t *testing.T) {
	h := newHub(t)
	var held gate
	r := h.behind("clusters", &held, impatient)
	id := r.joined("a")
	signature := h.compose(id, 1, 5)
	var s, other states
	updates, _ := watching(t, r.client(id, listening(&s)), "")
	next(t, "revision 5", updates)
	held.set(true) // the replica hears of the Cluster last
	defer held.set(false)
	check(t, h.api.Delete(t.Context(), h.cluster("a")))
	check(t, h.api.Delete(t.Context(), &v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: h.workspace + ".a"}}))
	await(t, "the stream ends", func() bool { return s.has("listen to the hub: EOF") || s.has(protocol.CodeRevoked) })
	c := r.client(id, listening(&other))
	watching(t, c, signature)
	await(t, "an agent that obeys revision 5 is told that it is revoked", func() bool { return other.has(protocol.CodeRevoked) })
	select {
	case header := <-r.wentBack:
		t.Errorf("the hub was stopped: %+v", header)
	default:
	}
}
