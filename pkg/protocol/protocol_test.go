package protocol_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/protocol"
)

// key is a fixed private key: golden texts depend on it.
func key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func trust(keys ...ed25519.PrivateKey) protocol.TrustSet {
	var t protocol.TrustSet
	for _, k := range keys {
		t.HubKeys = append(t.HubKeys, protocol.EncodeKey(protocol.Public(k)))
	}
	return t
}

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func token() protocol.Token {
	return protocol.Token{
		Version: 1, Workspace: "default", Name: "eu-1-x7k", Seed: protocol.EncodeSeed(key(1)),
		Hub: "https://hub.example.com/muster", HubKey: protocol.Fingerprint(protocol.Public(key(2))), CA: strings.Repeat("ab", 32),
	}
}

func TestTokenIsReadAsItWasWritten(t *testing.T) {
	text, err := token().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "muster-join-") {
		t.Fatalf("token %q has no prefix for secret scanners", text)
	}
	got, err := protocol.ParseToken(" " + text + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(token(), got); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
}

func TestBadTokensAreRefusedWithoutRepeatingThem(t *testing.T) {
	good, err := token().Encode()
	if err != nil {
		t.Fatal(err)
	}
	encode := func(change func(*protocol.Token)) string {
		tok := token()
		change(&tok)
		text, err := tok.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	cases := map[string]struct{ text, want string }{
		"no prefix":      {good[5:], "does not start with"},
		"cut":            {good[:len(good)/2], "was it cut?"},
		"not base64":     {good + "!", "was it cut?"},
		"too long":       {protocol.TokenPrefix + strings.Repeat("A", 10000), "too long"},
		"newer":          {encode(func(t *protocol.Token) { t.Version = 9 }), "newer"},
		"no workspace":   {encode(func(t *protocol.Token) { t.Workspace = "" }), "workspace"},
		"no hub":         {encode(func(t *protocol.Token) { t.Hub = "file:///etc/passwd" }), "address"},
		"no fingerprint": {encode(func(t *protocol.Token) { t.HubKey = "" }), "fingerprint"},
		"short seed":     {encode(func(t *protocol.Token) { t.Seed = "c2VlZA==" }), "4 bytes"},
		"empty":          {"", "does not start with"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := protocol.ParseToken(c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if seed := protocol.EncodeSeed(key(1)); strings.Contains(err.Error(), seed) || len(err.Error()) > 200 {
				t.Errorf("error repeats the token: %v", err)
			}
		})
	}
}

// signed returns a document and its envelope.
func signed(t *testing.T, hub ed25519.PrivateKey, change func(*protocol.Header, *string)) protocol.Envelope {
	t.Helper()
	text := `{"v":1,"hub":"h","cluster":"c","assignment":"a","epoch":3,"revision":7,"entries":[],"trust":{"hubKeys":null},"later":{"kept":true}}`
	h := protocol.Header{Hub: "h", Cluster: "c", Assignment: "a", Epoch: 3, Revision: 7, Digest: protocol.DigestOf(text), Time: now.Unix()}
	if change != nil {
		change(&h, &text)
	}
	signature, err := protocol.SignHeader(hub, h)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Envelope{Signature: signature, Document: text}
}

func TestOpenReturnsWhatAHubKeySigned(t *testing.T) {
	for name, by := range map[string]ed25519.PrivateKey{"current": key(2), "next": key(3)} {
		t.Run(name, func(t *testing.T) {
			doc, h, err := protocol.Open(signed(t, by, nil), trust(key(2), key(3)))
			if err != nil {
				t.Fatal(err)
			}
			if doc.Revision != 7 || h.Revision != 7 || h.Time != now.Unix() {
				t.Errorf("document %+v, header %+v", doc, h)
			}
		})
	}
}

func TestOpenRefusesEverythingElse(t *testing.T) {
	good := signed(t, key(2), nil)
	other := signed(t, key(2), func(h *protocol.Header, _ *string) { h.Revision = 8 })
	cases := map[string]protocol.Envelope{
		"unknown key":       signed(t, key(9), nil),
		"changed byte":      {Signature: good.Signature, Document: strings.Replace(good.Document, `"entries":[]`, `"entries":[ ]`, 1)},
		"appended byte":     {Signature: good.Signature, Document: good.Document + " "},
		"no document":       {Signature: good.Signature},
		"no signature":      {Document: good.Document},
		"other revision":    {Signature: other.Signature, Document: good.Document},
		"header disagrees":  other,
		"cluster disagrees": signed(t, key(2), func(h *protocol.Header, _ *string) { h.Cluster = "d" }),
		"hub disagrees":     signed(t, key(2), func(h *protocol.Header, _ *string) { h.Hub = "i" }),
		"newer format": signed(t, key(2), func(h *protocol.Header, d *string) {
			*d = `{"v":2,"hub":"h","cluster":"c","assignment":"a","epoch":3,"revision":7}`
			h.Digest = protocol.DigestOf(*d)
		}),
		"signature too long":  {Signature: strings.Repeat("A", 1<<20), Document: good.Document},
		"signature of a join": {Signature: joined(t), Document: good.Document},
		"unsigned algorithm":  {Signature: unsigned(good.Signature), Document: good.Document},
	}
	for name, env := range cases {
		t.Run(name, func(t *testing.T) {
			if doc, _, err := protocol.Open(env, trust(key(2), key(3))); err == nil {
				t.Errorf("opened as %+v", doc)
			}
		})
	}
}

// joined is a statement of the hub key of another type.
func joined(t *testing.T) string {
	text, err := protocol.SignJoinResponse(key(2), protocol.JoinResponse{Version: 1, Nonce: "n", HubKey: protocol.EncodeKey(protocol.Public(key(2)))})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unsigned replaces a JWS's algorithm by none and drops its signature.
func unsigned(jws string) string {
	parts := strings.Split(jws, ".")
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"muster-header"}`))
	return header + "." + parts[1] + "."
}

func TestEveryFlippedBitOfAnEnvelopeIsRefused(t *testing.T) {
	good := signed(t, key(2), nil)
	for i := range good.Document {
		bad := []byte(good.Document)
		bad[i] ^= 1
		if _, _, err := protocol.Open(protocol.Envelope{Signature: good.Signature, Document: string(bad)}, trust(key(2))); err == nil {
			t.Fatalf("bit in byte %d of the document", i)
		}
	}
	for i := range good.Signature {
		bad := []byte(good.Signature)
		bad[i] ^= 1
		h, err := protocol.VerifyHeader(string(bad), trust(key(2)))
		// The last character of each part has bits that base64 ignores.
		if want, _ := protocol.VerifyHeader(good.Signature, trust(key(2))); err == nil && h != want {
			t.Fatalf("bit in byte %d of the signature changed the header to %+v", i, h)
		}
	}
}

func TestMarksAreOrdered(t *testing.T) {
	m := func(a string, e, r int64) protocol.Mark { return protocol.Mark{Assignment: a, Epoch: e, Revision: r} }
	cases := map[string]struct {
		a, b        protocol.Mark
		less, equal bool
	}{
		"same":                      {m("a", 1, 2), m("a", 1, 2), false, true},
		"older revision":            {m("a", 1, 1), m("a", 1, 2), true, false},
		"newer revision":            {m("a", 1, 3), m("a", 1, 2), false, false},
		"epoch before revision":     {m("a", 1, 9), m("a", 2, 1), true, false},
		"signature does not matter": {protocol.Mark{Assignment: "a", Signature: "x"}, protocol.Mark{Assignment: "a"}, false, true},
		"other assignment, same":    {m("a", 1, 2), m("b", 1, 2), false, false},
		"other assignment, older":   {m("a", 1, 1), m("b", 1, 2), true, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.a.Less(c.b); got != c.less {
				t.Errorf("Less: got %v, want %v", got, c.less)
			}
			if got := c.a.Equal(c.b); got != c.equal {
				t.Errorf("Equal: got %v, want %v", got, c.equal)
			}
		})
	}
}

func TestRequestTokensProveOneRequest(t *testing.T) {
	claims := protocol.RequestClaims{Audience: "hub", Subject: "w/c", Session: "s", Method: "POST", Path: "/agent/v1/report?x=1",
		Body: protocol.BodyDigest([]byte("body")), ID: "0123456789abcdef"}
	text, err := protocol.NewRequestToken(key(1), claims, now)
	if err != nil {
		t.Fatal(err)
	}
	type request struct {
		key               ed25519.PrivateKey
		hub, method, path string
		at                time.Time
	}
	good := request{key(1), "hub", "POST", "/agent/v1/report?x=1", now}
	with := func(change func(*request)) request { r := good; change(&r); return r }
	cases := map[string]struct {
		request
		want error
	}{
		"as made":           {good, nil},
		"a minute later":    {with(func(r *request) { r.at = now.Add(time.Minute) }), nil},
		"two minutes later": {with(func(r *request) { r.at = now.Add(2 * time.Minute) }), protocol.ErrExpired},
		"a year later":      {with(func(r *request) { r.at = now.AddDate(1, 0, 0) }), protocol.ErrExpired},
		"a year before":     {with(func(r *request) { r.at = now.AddDate(-1, 0, 0) }), protocol.ErrExpired},
		"a moment before":   {with(func(r *request) { r.at = now.Add(-5 * time.Second) }), nil},
		"other key":         {with(func(r *request) { r.key = key(2) }), protocol.ErrSignature},
		"other hub":         {with(func(r *request) { r.hub = "other" }), protocol.ErrSignature},
		"other method":      {with(func(r *request) { r.method = "GET" }), protocol.ErrSignature},
		"other path":        {with(func(r *request) { r.path = "/agent/v1/rotate" }), protocol.ErrSignature},
		"other query":       {with(func(r *request) { r.path = "/agent/v1/report" }), protocol.ErrSignature},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tok, err := protocol.ParseRequestToken(text)
			if err != nil {
				t.Fatal(err)
			}
			if tok.KeyID != protocol.KeyID(protocol.Public(key(1))) {
				t.Errorf("key id %s", tok.KeyID)
			}
			if err := tok.Verify(protocol.Public(c.key), c.hub, c.method, c.path, c.at); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err := tok.CheckBody([]byte("body")); err != nil {
				t.Error(err)
			}
			if err := tok.CheckBody([]byte("Body")); err == nil {
				t.Error("another body passed")
			}
		})
	}
}

func joinRequest() protocol.JoinRequest {
	return protocol.JoinRequest{Version: 1, Workspace: "default", Token: "eu-1", PublicKey: protocol.EncodeKey(protocol.Public(key(5))),
		Nonce: "0123456789abcdef0123", IssuedAt: now.Unix(), Facts: protocol.Facts{KubernetesVersion: "v1.36.3", KubeSystemUID: "ks"}}
}

func TestJoinNeedsBothSignatures(t *testing.T) {
	req := joinRequest()
	self := req
	self.PublicKey = protocol.EncodeKey(protocol.Public(key(1)))
	cases := map[string]struct {
		req          protocol.JoinRequest
		token, agent ed25519.PrivateKey
		want         bool
	}{
		"both":                  {req, key(1), key(5), true},
		"another token's key":   {req, key(6), key(5), false},
		"not the agent's key":   {req, key(1), key(6), false},
		"token's key for both":  {self, key(1), key(1), false},
		"agent's key for both":  {req, key(5), key(5), false},
		"in the opposite order": {req, key(5), key(1), true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			body, err := protocol.SealJoin(c.req, c.token, c.agent)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := protocol.ParseJoin(body)
			if err != nil {
				t.Fatal(err)
			}
			if err := sealed.Verify(protocol.Public(key(1))); (err == nil) != c.want {
				t.Errorf("got %v, want success %v", err, c.want)
			}
		})
	}
}

func TestJoinAnswerIsBoundToFingerprintAndNonce(t *testing.T) {
	hub := key(2)
	resp := protocol.JoinResponse{Version: 1, Nonce: "n1", HubID: "h", HubKey: protocol.EncodeKey(protocol.Public(hub)), Cluster: "eu-1"}
	text, err := protocol.SignJoinResponse(hub, resp)
	if err != nil {
		t.Fatal(err)
	}
	stolen := resp // says the right key, signed by another
	forged, err := protocol.SignJoinResponse(key(9), stolen)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := protocol.Fingerprint(protocol.Public(hub))
	cases := map[string]struct {
		text, fingerprint, nonce string
		want                     bool
	}{
		"as asked":       {text, fingerprint, "n1", true},
		"other nonce":    {text, fingerprint, "n2", false},
		"other hub":      {text, protocol.Fingerprint(protocol.Public(key(9))), "n1", false},
		"forged":         {forged, fingerprint, "n1", false},
		"not a response": {"x.y.z", fingerprint, "n1", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := protocol.VerifyJoinResponse(c.text, c.fingerprint, c.nonce)
			if (err == nil) != c.want || c.want && got.Cluster != "eu-1" {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestKeysVouchForOneThingOnly(t *testing.T) {
	req := joinRequest()
	var err error
	if req.OldKeySignature, err = protocol.ProveOldKey(key(4), protocol.Public(key(5)), req.Nonce); err != nil {
		t.Fatal(err)
	}
	if err := protocol.VerifyOldKey(req, protocol.Public(key(3)), protocol.Public(key(4))); err != nil {
		t.Errorf("the old key's word: %v", err)
	}
	for name, change := range map[string]func(*protocol.JoinRequest){
		"another nonce": func(r *protocol.JoinRequest) { r.Nonce += "x" },
		"another key":   func(r *protocol.JoinRequest) { r.PublicKey = protocol.EncodeKey(protocol.Public(key(6))) },
		"nothing":       func(r *protocol.JoinRequest) { r.OldKeySignature = "" },
	} {
		bad := req
		change(&bad)
		if protocol.VerifyOldKey(bad, protocol.Public(key(4))) == nil {
			t.Errorf("old key vouched for %s", name)
		}
	}
	proof, err := protocol.ProveNextKey(key(7), "cluster-uid")
	if err != nil {
		t.Fatal(err)
	}
	rotate := protocol.RotateRequest{Version: 1, PublicKey: protocol.EncodeKey(protocol.Public(key(7))), Proof: proof}
	if got, err := protocol.VerifyNextKey(rotate, "cluster-uid"); err != nil || !got.Equal(protocol.Public(key(7))) {
		t.Errorf("next key: %v", err)
	}
	if _, err := protocol.VerifyNextKey(rotate, "other"); err == nil {
		t.Error("next key vouched for another cluster")
	}
	rotate.PublicKey = protocol.EncodeKey(protocol.Public(key(8)))
	if _, err := protocol.VerifyNextKey(rotate, "cluster-uid"); err == nil {
		t.Error("next key vouched for another key")
	}
}

func TestStreamIsReadLineByLine(t *testing.T) {
	long := strings.Repeat("<x>", 40<<10) // longer than a reader's buffer
	want := []protocol.Envelope{{Signature: "s1", Document: `{"a":1}`}, {}, {Signature: "s2", Document: long}}
	var text strings.Builder
	for _, env := range want {
		line, err := env.Line()
		if err != nil {
			t.Fatal(err)
		}
		text.Write(line)
	}
	if !strings.Contains(text.String(), string(protocol.KeepAliveLine)) {
		t.Error("an empty envelope is not a keep-alive line")
	}
	r := protocol.NewEnvelopeReader(strings.NewReader(text.String() + `{"signature":"cut`))
	for i, w := range want {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i, diff)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a line that was cut: %v", err)
	}
}

func TestStreamLineIsBounded(t *testing.T) {
	r := protocol.NewEnvelopeReader(io.LimitReader(endless{}, 100<<20))
	if _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("an endless line: %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestReportsAreBounded(t *testing.T) {
	good := func() protocol.Report {
		return protocol.Report{Version: 1, Session: "s", Sequence: 1, Bundles: []protocol.BundleReport{{UID: "u", State: protocol.StateFailed}}}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(*protocol.Report){
		"newer version":    func(r *protocol.Report) { r.Version = 2 },
		"no session":       func(r *protocol.Report) { r.Session = "" },
		"no sequence":      func(r *protocol.Report) { r.Sequence = 0 },
		"negative":         func(r *protocol.Report) { r.NotReady = -1 },
		"many bundles":     func(r *protocol.Report) { r.Bundles = make([]protocol.BundleReport, 51) },
		"many heads":       func(r *protocol.Report) { r.Heads = make([]protocol.Head, 20001) },
		"many messages":    func(r *protocol.Report) { r.Messages = make([]string, 21) },
		"unknown state":    func(r *protocol.Report) { r.Bundles[0].State = "<script>" },
		"unknown count":    func(r *protocol.Report) { r.Counts = map[protocol.State]int{"Great": 1} },
		"negative count":   func(r *protocol.Report) { r.Counts = map[protocol.State]int{protocol.StateReady: -1} },
		"bundle without":   func(r *protocol.Report) { r.Bundles[0].UID = "" },
		"many objects":     func(r *protocol.Report) { r.Bundles[0].Objects = make([]protocol.ObjectReport, 21) },
		"head without uid": func(r *protocol.Report) { r.Heads = []protocol.Head{{}} },
		"long assignment":  func(r *protocol.Report) { r.Assignment = strings.Repeat("x", 65) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := good()
			change(&r)
			if r.Check() == nil {
				t.Error("passed")
			}
		})
	}
	if _, err := protocol.ParseReport(make([]byte, protocol.MaxReportBytes+1)); err == nil {
		t.Error("a report that is too long passed")
	}
}

func TestUnknownFieldsDoNotDisturb(t *testing.T) {
	var doc protocol.Document
	if err := json.Unmarshal([]byte(signed(t, key(2), nil).Document), &doc); err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.ParseReport([]byte(`{"v":1,"session":"s","sequence":1,"later":[{"x":1}]}`)); err != nil {
		t.Error(err)
	}
}
