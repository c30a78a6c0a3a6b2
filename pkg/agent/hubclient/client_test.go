package hubclient_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// identity is one that a hub with key 1 knows.
func identity(url string) hubclient.Identity {
	return hubclient.Identity{
		Version: 1, HubURL: url, HubID: "hub", Workspace: "default", Cluster: "eu-1", ClusterUID: "uid",
		Key: protocol.EncodeSeed(key(2)), Trust: protocol.TrustSet{HubKeys: []string{protocol.EncodeKey(protocol.Public(key(1)))}},
	}
}

// served returns a client of a hub that answers with handle.
func served(t *testing.T, o hubclient.Options, handle http.HandlerFunc) *hubclient.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	c, err := hubclient.New(identity(server.URL+"/behind/a/proxy"), o)
	check(t, err)
	return c
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	// The client under test hung up.
	_ = json.NewEncoder(w).Encode(protocol.Error{Code: code, Message: "because"})
}

func TestContentIsWhatItsIDNames(t *testing.T) {
	data := []byte(strings.Repeat("manifests ", 1000))
	id := string(content.IDOf(data))
	encoder, err := zstd.NewWriter(nil)
	check(t, err)
	packed := encoder.EncodeAll(data, nil)
	bomb := encoder.EncodeAll(make([]byte, 128<<20), nil)
	cases := map[string]struct {
		encoding string
		body     []byte
		want     bool
	}{
		"plain":        {"", data, true},
		"zstd":         {"zstd", packed, true},
		"one byte off": {"", append([]byte("x"), data[1:]...), false},
		"cut":          {"", data[:len(data)-1], false},
		"broken zstd":  {"zstd", packed[:len(packed)/2], false},
		"a bomb":       {"zstd", bomb, false},
		"empty":        {"", nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := served(t, hubclient.Options{}, func(w http.ResponseWriter, _ *http.Request) {
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				if _, err := w.Write(c.body); err != nil {
					t.Error(err)
				}
			})
			got, err := client.Content(t.Context(), id)
			if (err == nil) != c.want || c.want && string(got) != string(data) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestTokenOutsideItsTimeIsMadeAnewOnce(t *testing.T) {
	hubTime := time.Now().AddDate(1, 0, 0)
	var calls atomic.Int32
	patient := true
	c := served(t, hubclient.Options{}, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Date", hubTime.UTC().Format(http.TimeFormat))
		token, err := protocol.ParseRequestToken(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err == nil {
			err = token.Verify(protocol.Public(key(2)), "hub", r.Method, strings.TrimPrefix(r.URL.RequestURI(), "/behind/a/proxy"), hubTime)
		}
		switch {
		case errors.Is(err, protocol.ErrExpired) || !patient:
			refuse(w, http.StatusUnauthorized, protocol.CodeExpired)
		case err != nil:
			t.Errorf("token: %v", err)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	check(t, c.Report(t.Context(), protocol.Report{Version: 1}))
	if n := calls.Swap(0); n != 2 {
		t.Errorf("the first report took %d requests, want 2", n)
	}
	check(t, c.Report(t.Context(), protocol.Report{Version: 1}))
	if n := calls.Swap(0); n != 1 {
		t.Errorf("the second report took %d requests, want 1", n)
	}
	if d := c.Now().Sub(hubTime); d < -time.Minute || d > time.Minute {
		t.Errorf("the hub's time is %s off", d)
	}
	patient = false
	if err := c.Report(t.Context(), protocol.Report{Version: 1}); err == nil || calls.Load() != 2 {
		t.Errorf("a hub that never agrees: %v after %d requests", err, calls.Load())
	}
}

func TestRefusalsAreErrorsWithACode(t *testing.T) {
	cases := map[string]struct {
		answer http.HandlerFunc
		code   string
		after  time.Duration
	}{
		"of the hub": {func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, protocol.CodeQuarantined) }, protocol.CodeQuarantined, 0},
		"of a proxy": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) }, protocol.CodeBusy, 0},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example.com", http.StatusTemporaryRedirect)
		}, protocol.CodeBusy, 0},
		"with a pause": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			refuse(w, 429, protocol.CodeBusy)
		}, protocol.CodeBusy, 7 * time.Second},
		"with an absurd pause": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "99999999")
			refuse(w, 429, protocol.CodeBusy)
		}, protocol.CodeBusy, 10 * time.Minute},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := served(t, hubclient.Options{}, c.answer)
			err := client.Report(t.Context(), protocol.Report{Version: 1})
			var reason *protocol.Error
			var refused *hubclient.Refused
			if !errors.As(err, &reason) || !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			if reason.Code != c.code || refused.RetryAfter != c.after {
				t.Errorf("code %q after %s, want %q after %s", reason.Code, refused.RetryAfter, c.code, c.after)
			}
		})
	}
}

func TestPausesAreJitteredBoundedAndAsAskedFor(t *testing.T) {
	c := served(t, hubclient.Options{}, func(http.ResponseWriter, *http.Request) {})
	most := func(failures int, err error) (least, longest time.Duration) {
		least = time.Hour
		for range 500 {
			p := c.Pause(failures, err)
			least, longest = min(least, p), max(longest, p)
		}
		return least, longest
	}
	if least, longest := most(1, errors.New("x")); longest > 250*time.Millisecond || longest-least < 100*time.Millisecond {
		t.Errorf("first pause: %s to %s", least, longest)
	}
	if least, longest := most(1000, errors.New("x")); longest > 30*time.Second || longest < 10*time.Second || least > 10*time.Second {
		t.Errorf("thousandth pause: %s to %s", least, longest)
	}
	busy := &hubclient.Refused{Reason: protocol.Error{Code: protocol.CodeBusy}, RetryAfter: 5 * time.Second}
	if least, _ := most(1, fmt.Errorf("watch: %w", busy)); least < 5*time.Second {
		t.Errorf("asked for 5 s, came back after %s", least)
	}
	if _, longest := most(1, &hubclient.Refused{Reason: protocol.Error{Code: protocol.CodeRevoked}}); longest < 10*time.Second {
		t.Errorf("a revoked agent asks again after %s at most", longest)
	}
}

func TestIdentityIsStoredWholeAndPrintedWithoutItsKey(t *testing.T) {
	id := identity("https://hub.example.com")
	data, err := id.Encode()
	check(t, err)
	back, err := hubclient.ParseIdentity(data)
	check(t, err)
	if again, err := back.Encode(); err != nil || string(again) != string(data) {
		t.Errorf("read back as %s, %v", again, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, id); strings.Contains(text, id.Key) || text == "" {
			t.Errorf("%s prints %q", verb, text)
		}
	}
	for name, bad := range map[string]string{
		"not JSON": "{" + id.Key, "newer": strings.Replace(string(data), `"v":1`, `"v":2`, 1), "no key": `{"v":1}`,
	} {
		if _, err := hubclient.ParseIdentity([]byte(bad)); err == nil || strings.Contains(err.Error(), id.Key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// envelope is a document of a revision, signed by key n for cluster.
func envelope(t *testing.T, n byte, cluster string, revision int64, trust protocol.TrustSet, at time.Time) protocol.Envelope {
	t.Helper()
	text, err := json.Marshal(protocol.Document{Version: 1, Hub: "hub", Cluster: cluster, Assignment: "a", Revision: revision, Trust: trust})
	check(t, err)
	signature, err := protocol.SignHeader(key(n), protocol.Header{
		Hub: "hub", Cluster: cluster, Assignment: "a", Revision: revision, Digest: protocol.DigestOf(string(text)), Time: at.Unix(),
	})
	check(t, err)
	return protocol.Envelope{Signature: signature, Document: string(text)}
}

func TestDocumentsRotateTrust(t *testing.T) {
	c, err := hubclient.New(identity("http://hub"), hubclient.Options{})
	check(t, err)
	both := protocol.TrustSet{HubKeys: []string{protocol.EncodeKey(protocol.Public(key(1))), protocol.EncodeKey(protocol.Public(key(7)))}}
	next := protocol.TrustSet{HubKeys: []string{protocol.EncodeKey(protocol.Public(key(7)))}}
	later := time.Now().AddDate(0, 1, 0)

	if _, _, err := c.Open(envelope(t, 7, "uid", 2, next, later)); !errors.Is(err, protocol.ErrSignature) {
		t.Errorf("a key that was never announced: %v", err)
	}
	if _, _, err := c.Open(envelope(t, 1, "other", 1, both, later)); err == nil {
		t.Error("another cluster's document was opened")
	}
	for revision, env := range map[int64]protocol.Envelope{1: envelope(t, 1, "uid", 1, both, later)} {
		doc, header, err := c.Open(env)
		check(t, err)
		if id, changed := c.Adopt(doc, header); !changed || len(id.Trust.HubKeys) != 2 || id.Time != later.Unix() {
			t.Errorf("revision %d: changed %v, identity trusts %v at %d", revision, changed, id.Trust.HubKeys, id.Time)
		}
	}
	doc, header, err := c.Open(envelope(t, 7, "uid", 2, next, later))
	check(t, err)
	c.Adopt(doc, header)
	if _, _, err := c.Open(envelope(t, 1, "uid", 3, both, later)); !errors.Is(err, protocol.ErrSignature) {
		t.Errorf("the key that was taken back: %v", err)
	}
	if c.Now().Before(later.Truncate(time.Second)) {
		t.Errorf("the clock shows %s after the hub signed %s", c.Now(), later)
	}
}

func TestStreamsOfManyLinesAreDeliveredInOrder(t *testing.T) {
	c := served(t, hubclient.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get(protocol.HeaderObeyed); got != "signature" {
			t.Errorf("obeyed %q", got)
		}
		for i := range 3 {
			line, err := protocol.Envelope{Signature: "s", Document: strconv.Itoa(i)}.Line()
			if err != nil {
				t.Error(err)
			}
			if _, err := w.Write(append(line, protocol.KeepAliveLine...)); err != nil {
				t.Error(err)
			}
		}
	})
	got := ""
	err := c.Watch(t.Context(), protocol.Mark{Signature: "signature"}, func(env protocol.Envelope) { got += env.Document })
	if got != "012" || err == nil {
		t.Errorf("delivered %q, then %v", got, err)
	}
}
