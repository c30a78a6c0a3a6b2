package gateway_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/internal/gateway/jointoken"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

func join(t *testing.T, token string, key ed25519.PrivateKey, name string, o hubclient.Options) (hubclient.Identity, error) {
	t.Helper()
	return hubclient.Join(t.Context(), token, key, factsOf(name), o)
}

func TestJoinMakesTheClusterThatTheTokenNames(t *testing.T) {
	h := newHub(t)
	r := h.start()
	key := newKey(t)
	id, err := join(t, h.token(r.url, forCluster("eu-1")), key, "eu-1", hubclient.Options{Name: "other", Now: func() time.Time { return time.Now().AddDate(1, 0, 0) }})
	check(t, err)
	c := h.cluster("eu-1")
	want := hubclient.Identity{
		Version: 1, HubURL: r.url, HubID: h.key.ID(), HubKey: h.key.Trust().HubKeys[0], Workspace: h.workspace, Cluster: "eu-1",
		ClusterUID: c.Status.Identity.UID, Key: protocol.EncodeSeed(key), Trust: h.key.Trust(), Time: id.Time,
	}
	if diff := cmp.Diff(want, id); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if d := time.Since(time.Unix(id.Time, 0)); d < -time.Minute || d > time.Minute {
		t.Errorf("the hub's time is %s off", d)
	}
	if c.Status.Identity.KubeSystemUID != "kube-system-of-eu-1" || c.Status.Facts.KubernetesVersion != "v1.36.3" {
		t.Errorf("stored identity %+v, facts %+v", c.Status.Identity, c.Status.Facts)
	}
}

func TestJoinByLabelsGetsANameAndTheTokensLabels(t *testing.T) {
	h := newHub(t)
	r := h.start()
	token := h.token(r.url, func(o *jointoken.Options) { o.Labels, o.Uses = map[string]string{"env": "edge"}, 2 })
	names := map[string]bool{}
	for _, key := range []ed25519.PrivateKey{newKey(t), newKey(t)} {
		id, err := join(t, token, key, "x", hubclient.Options{Name: "prod-1"})
		check(t, err)
		names[id.Cluster] = true
		if got := h.cluster(id.Cluster).Labels; got["env"] != "edge" || !strings.HasPrefix(id.Cluster, "c-") {
			t.Errorf("cluster %s has labels %v", id.Cluster, got)
		}
	}
	if len(names) != 2 {
		t.Errorf("two agents became %v", names)
	}
	if _, err := join(t, token, newKey(t), "x", hubclient.Options{}); codeOf(err) != protocol.CodeUsed {
		t.Errorf("the third use: %v", err)
	}
}

// rewritten returns a token's text with another seed or name: what a thief or a liar has.
func rewritten(t *testing.T, text string, change func(*protocol.Token)) string {
	tok, err := protocol.ParseToken(text)
	check(t, err)
	change(&tok)
	text, err = tok.Encode()
	check(t, err)
	return text
}

func TestTokensThatMayNotBeUsed(t *testing.T) {
	h := newHub(t)
	r := h.start()
	plain := &hub{tb: t, config: h.config, api: h.api, namespace: h.namespace, workspace: h.workspace + "-plain", key: h.key}
	plain.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: plain.workspace}})
	used := h.token(r.url, forCluster("used"))
	_, err := join(t, used, newKey(t), "used", hubclient.Options{})
	check(t, err)
	r.joined("taken")
	good := h.token(r.url, forCluster("good"))
	cases := map[string]struct{ token, want string }{
		"expired":                  {h.token(r.url, func(o *jointoken.Options) { o.Cluster, o.TTL = "late", time.Second }), protocol.CodeExpired},
		"used":                     {used, protocol.CodeUsed},
		"used, by labels":          {usedByLabels(t, h, r), protocol.CodeUsed},
		"unknown":                  {rewritten(t, good, func(tok *protocol.Token) { tok.Name = "unknown" }), protocol.CodeUnauthorized},
		"no such workspace":        {rewritten(t, good, func(tok *protocol.Token) { tok.Workspace = "nowhere" }), protocol.CodeUnauthorized},
		"not a name":               {rewritten(t, good, func(tok *protocol.Token) { tok.Name = "../../secrets" }), protocol.CodeUnauthorized},
		"another seed":             {rewritten(t, good, func(tok *protocol.Token) { tok.Seed = protocol.EncodeSeed(newKey(t)) }), protocol.CodeUnauthorized},
		"name that is taken":       {h.token(r.url, forCluster("taken")), protocol.CodeConflict},
		"namespace, not workspace": {plain.token(r.url, forCluster("x")), protocol.CodeForbidden},
		"another hub's":            {rewritten(t, good, func(tok *protocol.Token) { tok.HubKey = strings.Repeat("0", 64) }), "fingerprint"},
	}
	time.Sleep(1100 * time.Millisecond) // the shortest life a token can have; the API stores whole seconds
	before := clusters(t, h)
	for name, c := range cases {
		if name == "another hub's" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			_, err := join(t, c.token, newKey(t), "x", hubclient.Options{})
			if codeOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if diff := cmp.Diff(before, clusters(t, h)); diff != "" {
		t.Errorf("refused joins changed clusters (-want +got):\n%s", diff)
	}
	t.Run("another hub's", func(t *testing.T) {
		// The agent itself refuses a hub whose key is not the one its token names.
		_, err := join(t, cases["another hub's"].token, newKey(t), "good", hubclient.Options{})
		if !errors.Is(err, protocol.ErrSignature) {
			t.Errorf("got %v", err)
		}
	})
}

func usedByLabels(t *testing.T, h *hub, r *replica) string {
	token := h.token(r.url, func(o *jointoken.Options) { o.Labels = map[string]string{"a": "b"} })
	_, err := join(t, token, newKey(t), "x", hubclient.Options{})
	check(t, err)
	return token
}

// clusters returns names and identities of the workspace's clusters.
func clusters(t *testing.T, h *hub) map[string]any {
	var list v1alpha1.ClusterList
	check(t, h.api.List(t.Context(), &list, client.InNamespace(h.workspace)))
	found := map[string]any{}
	for _, c := range list.Items {
		found[c.Name] = c.Status.Identity
	}
	return found
}

func TestRetryWithTheSameKeyIsTheSameJoin(t *testing.T) {
	h := newHub(t)
	r := h.start()
	token, key := h.token(r.url, forCluster("eu-1")), newKey(t)
	first, err := join(t, token, key, "eu-1", hubclient.Options{})
	check(t, err)
	second, err := join(t, token, key, "eu-1", hubclient.Options{})
	check(t, err)
	second.Time = first.Time
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("answers differ (-first +second):\n%s", diff)
	}
	var tokens v1alpha1.JoinTokenList
	check(t, h.api.List(t.Context(), &tokens, client.InNamespace(h.workspace)))
	if got := tokens.Items[0].Status; got.Uses != 1 || len(got.UsedBy) != 1 || got.UsedBy[0] != protocol.KeyID(protocol.Public(key)) {
		t.Errorf("token's status %+v, want one use by the key", got)
	}
}

func TestTokenForOneIsUsedByOneOfMany(t *testing.T) {
	h := newHub(t)
	a, b := h.start(), h.start()
	token := h.token(a.url, func(o *jointoken.Options) { o.Labels = map[string]string{"a": "b"} })
	atB := rewritten(t, token, func(tok *protocol.Token) { tok.Hub = b.url })
	var mu sync.Mutex
	got := map[string]int{}
	var tasks sync.WaitGroup
	for i := range 8 {
		tasks.Go(func() {
			text := token
			if i%2 == 1 {
				text = atB
			}
			_, err := join(t, text, newKey(t), "x", hubclient.Options{})
			mu.Lock()
			defer mu.Unlock()
			got[codeOf(err)]++
		})
	}
	tasks.Wait()
	if got[""] != 1 || got[protocol.CodeUsed] != 7 {
		t.Errorf("got %v, want one join and seven refusals", got)
	}
	if n := len(clusters(t, h)); n != 1 {
		t.Errorf("%d clusters were made", n)
	}
}

func TestJoinGoesOnAfterACrashBetweenItsWrites(t *testing.T) {
	h := newHub(t)
	// Each write of a join fails once after it was done, as if the gateway died before it heard.
	for _, at := range []string{"PUT jointokens/status", "POST clusters", "PUT clusters/status"} {
		t.Run(at, func(t *testing.T) {
			r := h.start()
			crashing := h.crashAfter(at)
			name := "c" + strings.ToLower(strings.NewReplacer(" ", "", "/", "").Replace(at))
			token, key := h.token(crashing.url, forCluster(name)), newKey(t)
			if _, err := join(t, token, key, name, hubclient.Options{}); err == nil {
				t.Fatal("the join did not notice the crash")
			}
			token = rewritten(t, token, func(tok *protocol.Token) { tok.Hub = r.url })
			if _, err := join(t, token, newKey(t), name, hubclient.Options{}); codeOf(err) != protocol.CodeUsed && codeOf(err) != protocol.CodeConflict {
				t.Errorf("another key took the half-used token: %v", err)
			}
			id, err := join(t, token, key, name, hubclient.Options{})
			check(t, err)
			if id.ClusterUID != h.cluster(name).Status.Identity.UID {
				t.Error("the identity is not the stored one")
			}
		})
	}
}

func TestRemovedClusterCannotComeBackWithItsToken(t *testing.T) {
	h := newHub(t)
	r := h.start()
	token, key := h.token(r.url, forCluster("eu-1")), newKey(t)
	_, err := join(t, token, key, "eu-1", hubclient.Options{})
	check(t, err)
	check(t, h.api.Delete(t.Context(), h.cluster("eu-1")))
	if _, err := join(t, token, key, "eu-1", hubclient.Options{}); codeOf(err) != protocol.CodeUsed {
		t.Errorf("got %v, want %q", err, protocol.CodeUsed)
	}
	if _, err := join(t, h.token(r.url, forCluster("eu-1")), key, "eu-1", hubclient.Options{}); err != nil {
		t.Errorf("with a new token: %v", err)
	}
}

func TestClusterThatAnOperatorMadeIsJoined(t *testing.T) {
	h := newHub(t)
	r := h.start()
	h.create(&v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: h.workspace, Name: "eu-1", Labels: map[string]string{"env": "prod"}}})
	r.joined("eu-1")
	if got := h.cluster("eu-1"); got.Labels["env"] != "prod" || got.Status.Identity == nil {
		t.Errorf("labels %v, identity %v", got.Labels, got.Status.Identity)
	}
}

func TestJoiningAgainNeedsTheOldKeyOrAReset(t *testing.T) {
	h := newHub(t)
	r := h.start()
	first := r.joined("eu-1")
	again := func(key ed25519.PrivateKey, facts string, o hubclient.Options) (hubclient.Identity, error) {
		return join(t, h.token(r.url, forCluster("eu-1")), key, facts, o)
	}
	if _, err := again(newKey(t), "eu-1", hubclient.Options{}); codeOf(err) != protocol.CodeConflict {
		t.Errorf("without either: %v", err)
	}
	if _, err := again(newKey(t), "eu-1", hubclient.Options{OldKey: newKey(t)}); codeOf(err) != protocol.CodeConflict {
		t.Errorf("with a wrong old key: %v", err)
	}
	old, err := first.PrivateKey()
	check(t, err)
	if _, err := again(newKey(t), "elsewhere", hubclient.Options{OldKey: old}); codeOf(err) != protocol.CodeConflict {
		t.Errorf("with the old key on another cluster: %v", err)
	}
	second, err := again(newKey(t), "eu-1", hubclient.Options{OldKey: old})
	check(t, err)
	if second.ClusterUID != first.ClusterUID {
		t.Error("the identity's uid changed although the old key vouched")
	}

	c := h.cluster("eu-1")
	c.Annotations = map[string]string{v1alpha1.AnnotationReset: "nonce-of-an-operator"}
	check(t, h.api.Update(t.Context(), c))
	third, err := again(newKey(t), "rebuilt", hubclient.Options{})
	check(t, err)
	c = h.cluster("eu-1")
	if _, ok := c.Annotations[v1alpha1.AnnotationReset]; ok || c.Status.Identity.KubeSystemUID != "kube-system-of-rebuilt" {
		t.Errorf("after the reset: annotations %v, identity %+v", c.Annotations, c.Status.Identity)
	}
	if _, err := again(newKey(t), "rebuilt", hubclient.Options{}); codeOf(err) != protocol.CodeConflict {
		t.Errorf("a reset was used twice: %v", err)
	}
	await(t, "the newest key speaks", func() bool {
		return codeOf(r.client(third).Report(t.Context(), protocol.Report{Version: 1, Session: "s", Sequence: 1})) == ""
	})
	if err := r.client(second).Report(t.Context(), protocol.Report{Version: 1, Session: "s2", Sequence: 1}); codeOf(err) != protocol.CodeRevoked {
		t.Errorf("the key before the reset: %v", err)
	}
}

func TestTooManyJoinsWait(t *testing.T) {
	h := newHub(t)
	r := h.start(func(o *gateway.Options) { o.Limits.JoinsPerSecond, o.Limits.JoinBurst = 0.01, 1 })
	resp, err := http.Post(r.url+protocol.PathJoin, "", strings.NewReader("{"))
	check(t, err)
	check(t, resp.Body.Close())
	resp, err = http.Post(r.url+protocol.PathJoin, "", strings.NewReader("{"))
	check(t, err)
	check(t, resp.Body.Close())
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("got %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
}

func TestReplicasThatStartTogetherShareOneHubKey(t *testing.T) {
	h := newHub(t)
	h.namespace += "-keys"
	h.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.namespace}})
	var tasks sync.WaitGroup
	keys := make([]*gateway.HubKey, 6)
	for i := range keys {
		tasks.Go(func() {
			var err error
			if keys[i], err = gateway.LoadOrCreate(context.Background(), h.api, h.namespace); err != nil {
				t.Error(err)
			}
		})
	}
	tasks.Wait()
	recoveries := 0
	for _, k := range keys {
		if diff := cmp.Diff(keys[0].Trust(), k.Trust()); diff != "" || k.ID() != keys[0].ID() {
			t.Errorf("two replicas have two hub keys:\n%s", diff)
		}
		if k.Recovery() != "" {
			recoveries++
		}
	}
	if recoveries != 1 {
		t.Errorf("the recovery key was returned %d times, want once", recoveries)
	}
	var secret corev1.Secret
	check(t, h.api.Get(t.Context(), client.ObjectKey{Namespace: h.namespace, Name: jointoken.HubKeySecret}, &secret))
	if got, err := jointoken.Fingerprint(&secret); err != nil || got != keys[0].Fingerprint() {
		t.Errorf("fingerprint of the Secret %s, %v", got, err)
	}
	for _, k := range keys {
		if r := k.Recovery(); r != "" && strings.Contains(string(secret.Data["recovery-pub"]), r) {
			t.Error("the recovery key is stored")
		}
	}
}
