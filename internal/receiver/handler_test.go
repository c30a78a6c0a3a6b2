package receiver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/muster-dev/muster/internal/receiver"
)

var secret = []byte("correct horse battery staple")

const uid = "8f6f9d5e-0000-4000-8000-000000000001"

func sign(body string, key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// hook is one handler with one target and a record of what it triggered.
type hook struct {
	http.Handler
	clock *clocktesting.FakeClock

	mu        sync.Mutex
	triggered []string
}

func newHook(target receiver.Target, opts receiver.Options) *hook {
	h := &hook{clock: clocktesting.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	if opts.Clock == nil {
		opts.Clock = h.clock
	}
	lookup := func(id string) (receiver.Target, bool) { return target, id == receiver.IDFor(uid, secret) }
	h.Handler = receiver.NewHandler(lookup, func(key string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.triggered = append(h.triggered, key)
	}, opts)
	return h
}

func (h *hook) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.triggered)
}

func fleet() receiver.Target {
	return receiver.Target{Key: "default/fleet", URL: "https://git.example.com/acme/fleet", Branch: "main", Secret: secret}
}

func gitHubPush(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, receiver.PathFor(uid, secret), strings.NewReader(body))
	r.Header.Set("X-GitHub-Event", "push")
	r.Header.Set("X-Hub-Signature-256", sign(body, secret))
	return r
}

func (h *hook) send(t testing.TB, r *http.Request) (int, receiver.Answer) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer receiver.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("answer %q: %v", w.Body, err)
	}
	return w.Code, answer
}

const pushMain = `{"ref":"refs/heads/main","repository":{"clone_url":"https://git.example.com/acme/fleet.git","default_branch":"main"}}`

func TestDeliveries(t *testing.T) {
	yes := receiver.Answer{Triggered: true, Repository: "default/fleet"}
	no := func(reason string) receiver.Answer { return receiver.Answer{Reason: reason} }
	form := "payload=" + url.QueryEscape(pushMain)
	for name, test := range map[string]struct {
		body   string
		edit   func(*http.Request)
		target func(*receiver.Target)
		status int
		want   receiver.Answer
	}{
		"push to the branch":          {body: pushMain, status: 202, want: yes},
		"push to another":             {body: `{"ref":"refs/heads/feature"}`, status: 404, want: no("branch feature is not tracked")},
		"push of a tag":               {body: `{"ref":"refs/tags/v1"}`, status: 404, want: no("tag v1 is not tracked")},
		"push of notes":               {body: `{"ref":"refs/notes/commits"}`, status: 404, want: no("ref refs/notes/commits is not tracked")},
		"tracked tag":                 {body: `{"ref":"refs/tags/v1"}`, target: func(t *receiver.Target) { t.Revision = "v1" }, status: 202, want: yes},
		"branch beside a tag":         {body: pushMain, target: func(t *receiver.Target) { t.Revision = "v1" }, status: 404, want: no("branch main is not tracked")},
		"remote HEAD, default branch": {body: pushMain, target: func(t *receiver.Target) { t.Branch = "" }, status: 202, want: yes},
		"remote HEAD, other branch": {body: strings.Replace(pushMain, "refs/heads/main", "refs/heads/x", 1),
			target: func(t *receiver.Target) { t.Branch = "" }, status: 404, want: no("branch x is not tracked")},
		"remote HEAD, unknown":   {body: `{"ref":"refs/heads/x"}`, target: func(t *receiver.Target) { t.Branch = "" }, status: 202, want: yes},
		"same repository by ssh": {body: `{"ref":"refs/heads/main","repository":{"ssh_url":"git@other.example.com:acme/fleet.git"}}`, status: 202, want: yes},
		"another repository": {body: `{"ref":"refs/heads/main","repository":{"clone_url":"https://u:p@git.example.com/acme/shop.git"}}`,
			status: 404, want: no("repository https://git.example.com/acme/shop.git is not tracked")},
		"form": {body: form, edit: func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, status: 202, want: yes},
		"ping": {body: `{"zen":"Keep it logically awesome."}`, edit: func(r *http.Request) { r.Header.Set("X-GitHub-Event", "ping") },
			status: 202, want: receiver.Answer{Repository: "default/fleet", Reason: "ping"}},
		"another event": {body: `{}`, edit: func(r *http.Request) { r.Header.Set("X-GitHub-Event", "issues") },
			status: 202, want: receiver.Answer{Repository: "default/fleet", Reason: "event issues is not a push"}},
		"generic":             {body: `{"ref":"main"}`, edit: func(r *http.Request) { r.Header.Del("X-GitHub-Event") }, status: 202, want: yes},
		"generic, empty body": {edit: func(r *http.Request) { r.Header.Del("X-GitHub-Event") }, status: 202, want: yes},
		"no signature":        {body: pushMain, edit: func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") }, status: 401, want: no("signature missing or wrong")},
		"wrong signature": {body: pushMain, edit: func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign(pushMain, []byte("guess"))) },
			status: 401, want: no("signature missing or wrong")},
		"signature of another body": {body: pushMain, edit: func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign("{}", secret)) },
			status: 401, want: no("signature missing or wrong")},
		"sha1 only":      {body: pushMain, edit: func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", "sha1=00") }, status: 401, want: no("signature missing or wrong")},
		"empty secret":   {body: pushMain, edit: func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign(pushMain, nil)) }, target: func(t *receiver.Target) { t.Secret = nil }, status: 401, want: no("signature missing or wrong")},
		"unparsable":     {body: `{"ref":`, status: 400, want: no("the body is not the JSON of a push")},
		"no ref":         {body: `{}`, status: 400, want: no("the push names no ref")},
		"too large":      {body: `{"ref":"` + strings.Repeat("x", 2<<20) + `"}`, status: 413, want: no("the body is larger than 1048576 bytes")},
		"GET":            {body: pushMain, edit: func(r *http.Request) { r.Method = http.MethodGet }, status: 405, want: no("use POST")},
		"unknown id":     {body: pushMain, edit: func(r *http.Request) { r.URL.Path = receiver.PathFor("other", secret) }, status: 404, want: no("unknown webhook")},
		"no id":          {body: pushMain, edit: func(r *http.Request) { r.URL.Path = "/hooks/" }, status: 404, want: no("unknown webhook")},
		"path traversal": {body: pushMain, edit: func(r *http.Request) { r.URL.Path = "/hooks/../" + receiver.IDFor(uid, secret)[3:] }, status: 404, want: no("unknown webhook")},
	} {
		t.Run(name, func(t *testing.T) {
			target := fleet()
			if test.target != nil {
				test.target(&target)
			}
			h := newHook(target, receiver.Options{})
			r := gitHubPush(test.body)
			if test.edit != nil {
				test.edit(r)
			}
			status, got := h.send(t, r)
			if diff := cmp.Diff(test.want, got); status != test.status || diff != "" {
				t.Errorf("status %d, want %d; answer (-want +got):\n%s", status, test.status, diff)
			}
			if want := map[bool]int{true: 1}[test.want.Triggered]; h.count() != want {
				t.Errorf("triggered %d times, want %d", h.count(), want)
			}
		})
	}
}

// watched is a provider that fails the test when it parses.
type watched struct {
	receiver.Provider
	parsed int
}

func (w *watched) Name() string                { return "watched" }
func (w *watched) Matches(http.Header) bool    { return true }
func (w *watched) Delivery(http.Header) string { return "" }
func (w *watched) Verify(h http.Header, b, s []byte) error {
	if h.Get("X-Hub-Signature-256") != sign(string(b), s) {
		return fmt.Errorf("wrong")
	}
	return nil
}
func (w *watched) Parse(http.Header, []byte) (receiver.Push, error) {
	w.parsed++
	return receiver.Push{}, nil
}

func TestNothingIsParsedBeforeTheSignatureIsRight(t *testing.T) {
	provider := &watched{}
	h := newHook(fleet(), receiver.Options{Providers: []receiver.Provider{provider}})
	forged := gitHubPush(pushMain)
	forged.Header.Set("X-Hub-Signature-256", sign(pushMain, []byte("guess")))
	if status, _ := h.send(t, forged); status != 401 || provider.parsed != 0 {
		t.Errorf("forged: status %d, parsed %d times, want 401 and none", status, provider.parsed)
	}
	if status, _ := h.send(t, gitHubPush(pushMain)); status != 202 || provider.parsed != 1 {
		t.Errorf("genuine: status %d, parsed %d times, want 202 and once", status, provider.parsed)
	}
}

func TestARepeatedDeliveryDoesNothingForTenMinutes(t *testing.T) {
	h := newHook(fleet(), receiver.Options{})
	deliver := func(id string) receiver.Answer {
		r := gitHubPush(pushMain)
		r.Header.Set("X-GitHub-Delivery", id)
		_, answer := h.send(t, r)
		return answer
	}
	forged := gitHubPush(pushMain)
	forged.Header.Set("X-GitHub-Delivery", "one")
	forged.Header.Set("X-Hub-Signature-256", "sha256=00")
	h.send(t, forged) // must not use up the id
	for i, want := range []bool{true, false, false} {
		if got := deliver("one"); got.Triggered != want {
			t.Errorf("delivery %d: %+v, want triggered %v", i, got, want)
		}
	}
	if got := deliver("one").Reason; got != "delivery already seen" {
		t.Errorf("reason %q", got)
	}
	if !deliver("two").Triggered {
		t.Error("another delivery is not triggered")
	}
	h.clock.Step(11 * time.Minute)
	if !deliver("one").Triggered {
		t.Error("after 11 minutes the id is still remembered")
	}
}

func TestTheReplayCacheIsBounded(t *testing.T) {
	h := newHook(fleet(), receiver.Options{MaxDeliveries: 3, Burst: 100})
	for _, id := range []string{"a", "b", "c", "d", "a"} {
		r := gitHubPush(pushMain)
		r.Header.Set("X-GitHub-Delivery", id)
		if _, answer := h.send(t, r); !answer.Triggered {
			t.Errorf("%s: %+v", id, answer)
		}
	}
}

func TestAStormIsOnePendingPollAndTheLastPushIsNotLost(t *testing.T) {
	h := newHook(fleet(), receiver.Options{Burst: 2, Refill: 5 * time.Second})
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			if status, _ := h.send(t, gitHubPush(pushMain)); status != 202 {
				t.Errorf("status %d, want 202", status)
			}
		})
	}
	group.Wait()
	if h.count() != 2 {
		t.Fatalf("polled %d times during the storm, want 2", h.count())
	}
	if _, answer := h.send(t, gitHubPush(pushMain)); answer.Triggered || answer.Reason != "already pending" {
		t.Errorf("answer %+v, want already pending", answer)
	}
	h.clock.Step(4 * time.Second)
	if h.count() != 2 {
		t.Errorf("polled %d times before the bucket refilled, want 2", h.count())
	}
	h.clock.Step(time.Second)
	if h.count() != 3 {
		t.Errorf("polled %d times after it, want the pending one too", h.count())
	}
	h.clock.Step(time.Hour)
	if h.count() != 3 {
		t.Errorf("polled %d times in all, want 3", h.count())
	}
	if _, answer := h.send(t, gitHubPush(pushMain)); !answer.Triggered {
		t.Errorf("after an hour: %+v, want triggered", answer)
	}
}

func TestPathsCannotBeGuessedAndAreStable(t *testing.T) {
	path := receiver.PathFor(uid, secret)
	if path != receiver.PathFor(uid, secret) || len(path) != len("/hooks/")+32 {
		t.Errorf("path %q", path)
	}
	if path == receiver.PathFor(uid, []byte("other")) || path == receiver.PathFor("other", secret) {
		t.Error("the path does not depend on both uid and secret")
	}
	if strings.Contains(path, uid[:8]) {
		t.Error("the path shows the uid")
	}
}

func TestASlowSenderIsCutOff(t *testing.T) {
	h := newHook(fleet(), receiver.Options{ReadTimeout: 50 * time.Millisecond, Clock: realClock()})
	server := httptest.NewServer(h)
	defer server.Close()
	r, w := newPipe()
	defer w.Close()
	req, err := http.NewRequest(http.MethodPost, server.URL+receiver.PathFor(uid, secret), r)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return // the connection was closed, which is as good
	}
	defer res.Body.Close()
	if res.StatusCode != 400 {
		t.Errorf("status %d, want 400", res.StatusCode)
	}
}

func FuzzWebhook(f *testing.F) {
	for _, body := range []string{pushMain, `{}`, `{"ref":1}`, `{"ref":"refs/heads/main","repository":[]}`, "", "\x00", strings.Repeat("[", 10000),
		`{"ref":"main","repository":{"url":"git@:"}}`, "payload=%7B%7D"} {
		f.Add(body, "push", "application/json", "id", true)
		f.Add(body, "", "application/x-www-form-urlencoded", "", false)
	}
	f.Fuzz(func(t *testing.T, body, event, contentType, delivery string, signed bool) {
		h := newHook(fleet(), receiver.Options{})
		r := httptest.NewRequest(http.MethodPost, receiver.PathFor(uid, secret), strings.NewReader(body))
		r.Header["X-Github-Event"] = []string{event}
		r.Header["Content-Type"] = []string{contentType}
		r.Header["X-Github-Delivery"] = []string{delivery}
		if signed {
			r.Header.Set("X-Hub-Signature-256", sign(body, secret))
		}
		status, answer := h.send(t, r)
		if !signed && status != 401 && status != 413 {
			t.Errorf("unsigned: status %d", status)
		}
		if (h.count() == 1) != answer.Triggered {
			t.Errorf("triggered %d times, answered %+v", h.count(), answer)
		}
	})
}

func ExampleNewHandler() {
	secret := []byte("correct horse battery staple")
	hook := receiver.NewHandler(
		func(id string) (receiver.Target, bool) {
			return receiver.Target{Key: "default/fleet", URL: "https://git.example.com/acme/fleet", Branch: "main", Secret: secret}, true
		},
		func(key string) { fmt.Println("poll", key) },
		receiver.Options{},
	)
	body := `{"ref":"refs/heads/main"}`
	r := httptest.NewRequest(http.MethodPost, receiver.PathFor("the GitRepo's uid", secret), strings.NewReader(body))
	r.Header.Set("X-Hub-Signature-256", sign(body, secret))
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output:
	// poll default/fleet
	// 202 {"triggered":true,"repository":"default/fleet"}
}
