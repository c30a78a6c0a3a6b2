package gateway_test

import (
	"crypto/x509"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/protocol"
)

// speaks reports once and returns the refusal's code.
func speaks(t *testing.T, c *hubclient.Client, sequence int64) string {
	return codeOf(c.Report(t.Context(), protocol.Report{Version: 1, Session: c.Session(), Sequence: sequence}))
}

func TestKeysRotate(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	c := r.client(id)
	sameSession := func(o *hubclient.Options) { o.Session = c.Session() }
	second := newKey(t)
	check(t, c.Rotate(t.Context(), second))

	old := r.client(id, sameSession)
	if code := speaks(t, old, 1); code != "" {
		t.Errorf("the old key before the new one was used: %s", code)
	}
	if got := c.Identity(); got.Key != protocol.EncodeSeed(second) || got.NextKey != "" {
		t.Error("the client's identity does not hold the new key")
	}
	if code := speaks(t, c, 2); code != "" {
		t.Errorf("the new key: %s", code)
	}
	await(t, "the old key is replaced", func() bool {
		return h.cluster("a").Status.Identity.Keys[0].State == "current" && len(h.cluster("a").Status.Identity.Keys) == 2 && h.cluster("a").Status.Identity.Keys[1].State == "previous"
	})
	await(t, "the old key is refused", func() bool { return speaks(t, old, 3) == protocol.CodeUnauthorized })

	// An agent restored from a backup has the old key only: it may announce another.
	third := newKey(t)
	check(t, old.Rotate(t.Context(), third))
	await(t, "the third key speaks", func() bool { return speaks(t, old, 4) == "" })
	await(t, "two keys are left", func() bool {
		keys := h.cluster("a").Status.Identity.Keys
		return len(keys) == 2 && keys[0].Public == protocol.EncodeKey(protocol.Public(third))
	})
}

func TestRotationThatWasNotHeardIsRepeated(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	second := newKey(t)
	check(t, r.client(id).Rotate(t.Context(), second))
	again := r.client(id)
	check(t, again.Rotate(t.Context(), second))
	if n := len(h.cluster("a").Status.Identity.Keys); n != 2 {
		t.Errorf("%d keys are stored, want 2", n)
	}
}

func TestKeyOfAnotherClusterIsRefused(t *testing.T) {
	h := newHub(t)
	r := h.start()
	a, b := r.joined("a"), r.joined("b")
	key, err := b.PrivateKey()
	check(t, err)
	if err := r.client(a).Rotate(t.Context(), key); codeOf(err) != protocol.CodeConflict {
		t.Errorf("rotating to another cluster's key: %v", err)
	}
	if _, err := join(t, h.token(r.url, forCluster("c")), key, "c", hubclient.Options{}); codeOf(err) != protocol.CodeConflict {
		t.Errorf("joining with another cluster's key: %v", err)
	}
}

func TestAgentsClockMayBeAYearOff(t *testing.T) {
	h := newHub(t)
	r := h.start()
	for name, years := range map[string]int{"ahead": 1, "behind": -1} {
		t.Run(name, func(t *testing.T) {
			wrong := func() time.Time { return time.Now().AddDate(years, 0, 0) }
			id, err := join(t, h.token(r.url, forCluster(name)), newKey(t), name, hubclient.Options{Now: wrong})
			check(t, err)
			// A clock ahead of the hub's has no floor to help it; one behind has: take it away, so that the Date must do.
			id.Time = 0
			c := r.client(id, func(o *hubclient.Options) { o.Now = wrong })
			updates, _ := watching(t, c, "")
			h.compose(id, 0, 1)
			next(t, "a document", updates)
			if code := speaks(t, c, 1); code != "" {
				t.Errorf("a report: %s", code)
			}
			if d := time.Since(c.Now()); d > time.Minute || d < -time.Minute {
				t.Errorf("the client's idea of the hub's time is %s off", d)
			}
		})
	}
}

func TestCertificatesAreJudgedByPinsAndTheHubsTime(t *testing.T) {
	h := newHub(t)
	r := h.start()
	server := httptest.NewUnstartedServer(r.server.Config.Handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	pin := hubclient.CAHash(server.Certificate())
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	wrong := func() time.Time { return time.Now().AddDate(-100, 0, 0) }
	cases := map[string]struct {
		ca   string
		opts hubclient.Options
		want bool
	}{
		"pinned":                      {pin, hubclient.Options{}, true},
		"pinned, clock a century off": {pin, hubclient.Options{Now: wrong}, true},
		"in the CA file":              {"", hubclient.Options{RootCAs: trusted}, true},
		"in the CA file and pinned":   {pin, hubclient.Options{RootCAs: trusted}, true},
		"neither":                     {"", hubclient.Options{}, false},
		"another pin":                 {h.key.Fingerprint(), hubclient.Options{}, false},
		"another pin and trusted":     {h.key.Fingerprint(), hubclient.Options{RootCAs: trusted}, false},
	}
	n := 0
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			n++
			cluster := string(rune('a' + n))
			token := rewritten(t, h.token(server.URL, forCluster(cluster)), func(tok *protocol.Token) { tok.CA = c.ca })
			id, err := join(t, token, newKey(t), cluster, c.opts)
			if (err == nil) != c.want {
				t.Fatalf("got %v, want success %v", err, c.want)
			}
			if !c.want {
				return
			}
			client, err := hubclient.New(id, c.opts)
			check(t, err)
			updates, _ := watching(t, client, "")
			h.compose(id, 0, 1)
			next(t, "a document over TLS", updates)
		})
	}
}

func TestHubThatLostItsKeysIsRecovered(t *testing.T) {
	h := newHub(t)
	// A hub whose recovery key we hold, as a person would who printed it.
	h.namespace += "-lost"
	h.create(namespace(h.namespace))
	var err error
	h.key, err = gateway.LoadOrCreate(t.Context(), h.api, h.namespace)
	check(t, err)
	recovery := h.key.Recovery()
	first := h.start()
	id := first.joined("a")
	obeyed := h.compose(id, 0, 1)
	first.stop()

	secret, err := gateway.RecoverKeys(h.namespace, h.key.ID(), recovery, time.Now())
	check(t, err)
	check(t, h.api.Delete(t.Context(), &corev1.Secret{ObjectMeta: secret.ObjectMeta}))
	h.create(secret)
	lost := h.key.Trust().HubKeys[0]
	h.key, err = gateway.LoadOrCreate(t.Context(), h.api, h.namespace)
	check(t, err)
	second := h.start()
	c := second.client(id)
	updates, _ := watching(t, c, obeyed)
	h.compose(id, 0, 2)
	// Until it is composed anew, the old key's document is served, and it is still trusted.
	u := next(t, "a document", updates)
	for u.Document.Revision < 2 {
		u = next(t, "a document signed by the new key", updates)
	}
	adopted, changed := c.Adopt(u.Document, u.Header)
	if !changed || adopted.Trust.HubKeys[0] == lost || adopted.Trust.RecoveryKeyHash != id.Trust.RecoveryKeyHash {
		t.Errorf("the agent trusts %+v", adopted.Trust)
	}
}
