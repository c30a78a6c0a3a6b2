package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/gateway/jointoken"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// handler is one call of the agent API with a body that its caller may send.
type handler struct {
	method, path string
	body         func(id hubclient.Identity) []byte
}

func handlers(t *testing.T, content string) map[string]handler {
	none := func(hubclient.Identity) []byte { return nil }
	return map[string]handler{
		"assignment": {"GET", protocol.PathAssignment, none},
		"watch":      {"GET", protocol.PathAssignment + "?watch=1", none},
		"content":    {"GET", protocol.PathContent + content, none},
		"report":     {"POST", protocol.PathReport, func(id hubclient.Identity) []byte { return reportBody(t, "raw-"+id.Cluster, 1) }},
		"rotate": {"POST", protocol.PathRotate, func(id hubclient.Identity) []byte {
			next := newKey(t)
			proof, err := protocol.ProveNextKey(next, id.ClusterUID)
			check(t, err)
			body, err := json.Marshal(protocol.RotateRequest{Version: 1, PublicKey: protocol.EncodeKey(protocol.Public(next)), Proof: proof})
			check(t, err)
			return body
		}},
	}
}

// TestAgentCannotSpeakAsAnother takes every handler and every way of
// pretending to be cluster b while holding only the key of cluster a.
func TestAgentCannotSpeakAsAnother(t *testing.T) {
	h := newHub(t)
	r := h.start()
	a, b := r.joined("a"), r.joined("b")
	secret := h.put(`{"v":1,"kind":"manifests","bundle":"secret"}`)
	h.compose(a, 0, 1)
	signatureB := h.compose(b, 0, 7, h.entry("ub", secret, 7))
	before := state(t, h, "b")

	lies := map[string]struct {
		lie  func(t *testing.T, raw *rawRequest)
		want string
	}{
		"no token":            {func(_ *testing.T, raw *rawRequest) { raw.token = new(string) }, protocol.CodeUnauthorized},
		"no JWT":              {func(_ *testing.T, raw *rawRequest) { text := "nonsense"; raw.token = &text }, protocol.CodeUnauthorized},
		"b's key id, a's key": {func(t *testing.T, raw *rawRequest) { raw.token = relabel(t, *raw, b) }, protocol.CodeUnauthorized},
		"key of nobody":       {func(t *testing.T, raw *rawRequest) { raw.key.Key = protocol.EncodeSeed(newKey(t)) }, protocol.CodeRevoked},
		"nobody's key, b's name": {func(t *testing.T, raw *rawRequest) {
			raw.key.Key = protocol.EncodeSeed(newKey(t))
			raw.claims.Subject = b.Workspace + "/" + b.Cluster
		}, protocol.CodeRevoked},
		"for another hub":    {func(_ *testing.T, raw *rawRequest) { raw.claims.Audience = "other-hub" }, protocol.CodeUnauthorized},
		"for another path":   {func(_ *testing.T, raw *rawRequest) { raw.claims.Path = "/agent/v1/other" }, protocol.CodeUnauthorized},
		"for another method": {func(_ *testing.T, raw *rawRequest) { raw.claims.Method = "PATCH" }, protocol.CodeUnauthorized},
		"for another body":   {func(_ *testing.T, raw *rawRequest) { raw.claims.Body = protocol.BodyDigest([]byte("other")) }, protocol.CodeUnauthorized},
		"from last hour":     {func(_ *testing.T, raw *rawRequest) { raw.at = time.Now().Add(-time.Hour) }, protocol.CodeExpired},
		"from next hour":     {func(_ *testing.T, raw *rawRequest) { raw.at = time.Now().Add(time.Hour) }, protocol.CodeExpired},
	}
	for call, hd := range handlers(t, string(secret)) {
		for name, c := range lies {
			t.Run(call+"/"+name, func(t *testing.T) {
				raw := newRaw(h, a, hd.method, hd.path, hd.body(a))
				c.lie(t, &raw)
				status, code, body := raw.send(t, r.url)
				if code != c.want || status < 400 {
					t.Errorf("got %d %q, want %q", status, code, c.want)
				}
				if strings.Contains(string(body), "secret") {
					t.Errorf("the refusal tells of b: %s", body)
				}
			})
		}
	}

	t.Run("assignment/with b's mark", func(t *testing.T) {
		raw := newRaw(h, a, "GET", protocol.PathAssignment, nil)
		raw.claims.Subject = b.Workspace + "/" + b.Cluster // a lie that must not matter
		raw.header.Set(protocol.HeaderObeyed, signatureB)
		status, _, body := raw.send(t, r.url)
		var env protocol.Envelope
		check(t, json.Unmarshal(body, &env))
		_, header, err := protocol.Open(env, h.key.Trust())
		check(t, err)
		if status != http.StatusOK || header.Cluster != a.ClusterUID {
			t.Errorf("got %d and the document of %s, want a's", status, header.Cluster)
		}
	})
	t.Run("content/of b", func(t *testing.T) {
		_, code, _ := newRaw(h, a, "GET", protocol.PathContent+string(secret), nil).send(t, r.url)
		_, unknown, _ := newRaw(h, a, "GET", protocol.PathContent+strings.Repeat("A", 43), nil).send(t, r.url)
		if code != protocol.CodeNotFound || unknown != code {
			t.Errorf("got %q for b's content and %q for none at all, want %q for both", code, unknown, protocol.CodeNotFound)
		}
	})
	t.Run("rotate/with a proof for b", func(t *testing.T) {
		raw := newRaw(h, a, "POST", protocol.PathRotate, handlers(t, "")["rotate"].body(b))
		raw.claims.Subject = b.Workspace + "/" + b.Cluster
		if _, code, _ := raw.send(t, r.url); code != protocol.CodeInvalid {
			t.Errorf("got %q, want %q", code, protocol.CodeInvalid)
		}
	})
	t.Run("report/of b's bundle", func(t *testing.T) {
		body := reportBody(t, "raw-a", 1, protocol.BundleReport{UID: "ub", Generation: 1, State: protocol.StateFailed, Message: "sabotage"})
		raw := newRaw(h, a, "POST", protocol.PathReport, body)
		raw.claims.Subject = b.Workspace + "/" + b.Cluster
		if status, code, _ := raw.send(t, r.url); status != http.StatusNoContent {
			t.Fatalf("got %d %q", status, code)
		}
		if got := h.report("a").Spec.Bundles; len(got) != 0 {
			t.Errorf("a's report speaks of bundles that a does not have: %+v", got)
		}
	})
	if diff := cmp.Diff(before, state(t, h, "b")); diff != "" {
		t.Errorf("a changed b (-want +got):\n%s", diff)
	}
}

// relabel signs with the raw request's key under the key id of another identity.
func relabel(t *testing.T, raw rawRequest, as hubclient.Identity) *string {
	theirs := raw
	theirs.key = as
	parts := strings.Split(raw.sign(t), ".")
	parts[0] = strings.Split(theirs.sign(t), ".")[0]
	text := strings.Join(parts, ".")
	return &text
}

// state is everything the hub keeps of one cluster that an agent could change.
func state(t *testing.T, h *hub, name string) any {
	c := h.cluster(name)
	var reports v1alpha1.ClusterReportList
	check(t, h.api.List(t.Context(), &reports, client.InNamespace(h.namespace), client.MatchingFields{"metadata.name": h.workspace + "." + name}))
	return []any{c.Labels, c.Status.Identity, c.Status.Facts, reports.Items}
}

func TestRequestTokenIsUsedOnce(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	raw := newRaw(h, id, "POST", protocol.PathReport, reportBody(t, "raw-a", 1))
	text := raw.sign(t)
	raw.token = &text
	if status, code, _ := raw.send(t, r.url); status != http.StatusNoContent {
		t.Fatalf("first use: %d %q", status, code)
	}
	if _, code, _ := raw.send(t, r.url); code != protocol.CodeUnauthorized {
		t.Errorf("second use: %q, want %q", code, protocol.CodeUnauthorized)
	}
	raw.body = reportBody(t, "raw-a", 2)
	if _, code, _ := raw.send(t, r.url); code != protocol.CodeUnauthorized {
		t.Errorf("with another body: %q, want %q", code, protocol.CodeUnauthorized)
	}
}

func TestReportsBeyondTheirBoundsAreRefused(t *testing.T) {
	h := newHub(t)
	r := h.start()
	id := r.joined("a")
	cases := map[string]struct {
		body []byte
		want string
	}{
		"too long":     {make([]byte, protocol.MaxReportBytes+1), protocol.CodeTooLarge},
		"not JSON":     {[]byte("{"), protocol.CodeInvalid},
		"no session":   {reportBody(t, "", 1), protocol.CodeInvalid},
		"no sequence":  {reportBody(t, "s", 0), protocol.CodeInvalid},
		"many bundles": {reportBody(t, "s", 1, make([]protocol.BundleReport, 51)...), protocol.CodeInvalid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, code, _ := newRaw(h, id, "POST", protocol.PathReport, c.body).send(t, r.url); code != c.want {
				t.Errorf("got %q, want %q", code, c.want)
			}
		})
	}
}

func TestReportingStormSlowsDownItsOwnClusterOnly(t *testing.T) {
	h := newHub(t)
	r := h.start()
	noisy, quiet := r.joined("noisy"), r.joined("quiet")
	busy := 0
	for i := range 40 {
		// An old sequence costs no write, so that the storm is as fast as it can be.
		_, code, _ := newRaw(h, noisy, "POST", protocol.PathReport, reportBody(t, "raw-noisy", int64(40-i))).send(t, r.url)
		if code == protocol.CodeBusy {
			busy++
		}
	}
	if busy == 0 {
		t.Error("forty reports at once were all taken")
	}
	if status, code, _ := newRaw(h, quiet, "POST", protocol.PathReport, reportBody(t, "raw-quiet", 1)).send(t, r.url); status != http.StatusNoContent {
		t.Errorf("the quiet cluster got %d %q", status, code)
	}
}

func TestClusterOfAnotherWorkspaceIsAnotherCluster(t *testing.T) {
	h := newHub(t)
	r := h.start()
	other := &hub{tb: t, config: h.config, api: h.api, namespace: h.namespace, workspace: h.workspace + "-b", key: h.key, store: h.store}
	other.create(namespace(other.workspace))
	a := r.joined("same")
	text := other.token(r.url, func(o *jointoken.Options) { o.Cluster = "same" })
	b, err := hubclient.Join(t.Context(), text, newKey(t), factsOf("other"), hubclient.Options{})
	check(t, err)
	item := other.put(`{"v":1,"kind":"manifests","bundle":"of-b"}`)
	other.compose(b, 0, 1, other.entry("u", item, 1))
	await(t, "b reads its content", func() bool {
		_, err := r.client(b).Content(t.Context(), string(item))
		return err == nil
	})
	if _, err := r.client(a).Content(t.Context(), string(item)); codeOf(err) != protocol.CodeNotFound {
		t.Errorf("a reads b's content: %v", err)
	}
}
