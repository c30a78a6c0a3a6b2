package source_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/source"
)

const password = "hunter2-s3cret"

func TestBasicAuth(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	server.on(func(w http.ResponseWriter, r *http.Request) bool {
		user, given, _ := r.BasicAuth()
		switch {
		case user == "ada" && given == password:
			return false
		case user == "bob":
			http.Error(w, "bob may not, he said "+given, http.StatusForbidden)
		default:
			http.Error(w, "who are you, "+given, http.StatusUnauthorized)
		}
		return true
	})
	m := newMirrors(t, source.Options{})
	snapshot(t, m, source.Remote{URL: server.url(), Auth: source.Auth{Username: "ada", Password: password}}, source.Ref{})
	// User information in the URL works and is shown nowhere.
	snapshot(t, m, source.Remote{URL: strings.Replace(server.url(), "http://", "http://ada:"+password+"@", 1)}, source.Ref{})

	for name, auth := range map[string]source.Auth{
		"none": {}, "wrong": {Username: "ada", Password: password + "x"}, "forbidden": {Username: "bob", Password: password},
	} {
		_, err := m.Resolve(t.Context(), source.Remote{URL: server.url(), Auth: auth}, source.Ref{})
		if !errors.Is(err, source.ErrUnauthorized) || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "clientSecretName") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTwoCredentialsShareNothing(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	server.on(func(w http.ResponseWriter, r *http.Request) bool {
		if user, _, _ := r.BasicAuth(); user != "ada" {
			http.Error(w, "no", http.StatusUnauthorized)
			return true
		}
		return false
	})
	m := newMirrors(t, source.Options{})
	s := snapshot(t, m, source.Remote{URL: server.url(), Auth: source.Auth{Username: "ada", Password: "x"}}, source.Ref{})
	_, err := m.Snapshot(t.Context(), source.Remote{URL: server.url(), Auth: source.Auth{Username: "eve", Password: "x"}}, source.Ref{}, s.Commit)
	if !errors.Is(err, source.ErrUnauthorized) {
		t.Errorf("Snapshot with other credentials = %v, want ErrUnauthorized although the commit is on disk", err)
	}
}

func TestTLS(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serveTLS()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	m := newMirrors(t, source.Options{})
	snapshot(t, m, source.Remote{URL: server.url(), CABundle: ca}, source.Ref{})
	snapshot(t, m, source.Remote{URL: server.url(), InsecureSkipTLSVerify: true}, source.Ref{})
	if _, err := m.Resolve(t.Context(), source.Remote{URL: server.url()}, source.Ref{}); !errors.Is(err, source.ErrUntrusted) || !strings.Contains(err.Error(), "caBundle") {
		t.Errorf("self-signed without CA: %v, want ErrUntrusted", err)
	}
	if _, err := m.Resolve(t.Context(), source.Remote{URL: server.url(), CABundle: []byte("no pem")}, source.Ref{}); !errors.Is(err, source.ErrInvalidRemote) {
		t.Errorf("broken CA: %v, want ErrInvalidRemote", err)
	}
}

func TestRedirects(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serve()
	var leaked atomic.Bool
	evil := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked.Store(true)
		t.Errorf("the other server was asked for %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer evil.Close()
	target := ""
	server.on(func(w http.ResponseWriter, r *http.Request) bool {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/moved"); ok {
			http.Redirect(w, r, target+rest+"?"+r.URL.RawQuery, http.StatusMovedPermanently)
			return true
		}
		return false
	})
	moved := func() source.Remote {
		return source.Remote{URL: server.URL + "/moved", Auth: source.Auth{Username: "ada", Password: password}}
	}

	target = evil.URL + "/repo/.git"
	if _, err := newMirrors(t, source.Options{}).Resolve(t.Context(), moved(), source.Ref{}); !errors.Is(err, source.ErrUntrusted) || strings.Contains(err.Error(), password) {
		t.Errorf("redirect to another server: %v, want ErrUntrusted", err)
	}
	target = strings.Replace(server.URL, "http://", "https://", 1) + "/repo/.git"
	if _, err := newMirrors(t, source.Options{}).Resolve(t.Context(), moved(), source.Ref{}); !errors.Is(err, source.ErrUntrusted) {
		t.Errorf("redirect to another scheme: %v, want ErrUntrusted", err)
	}
	target = "/repo/.git"
	s := snapshot(t, newMirrors(t, source.Options{}), moved(), source.Ref{})
	if contents(t, s)["a"] != "1" || leaked.Load() {
		t.Error("a redirect within the server is not followed")
	}
}

func TestServersThatAnswerBadly(t *testing.T) {
	listing := func(body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			fmt.Fprint(w, body)
			return true
		}
	}
	const prefix = "001e# service=git-upload-pack\n0000"
	const id = "1234567890123456789012345678901234567890"
	first := "0055" + id + " HEAD\x00shallow symref=HEAD:refs/heads/main\n"
	first = fmt.Sprintf("%04x", len(first)) + first[4:]
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		want   error
	}{
		"500": {func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true }, source.ErrUnreachable},
		"503 with text": {func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, strings.Repeat("x", 1<<20), http.StatusServiceUnavailable)
			return true
		}, source.ErrUnreachable},
		"404":               {func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true }, source.ErrRepositoryNotFound},
		"a web page":        {listing("<html>Sign in</html>"), source.ErrProtocol},
		"nothing":           {listing(""), nil},
		"zeros":             {listing(strings.Repeat("\x00", 10000)), source.ErrProtocol},
		"endless":           {listing(prefix + first + strings.Repeat("003f"+id+" refs/heads/main-1\n", 1<<19)), source.ErrTooLarge},
		"cut without flush": {listing(prefix + first), nil},
		"half an answer":    {httpHalf, nil},
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t)
			repo.commit(map[string]string{"a": "1"})
			server := repo.serve()
			m, remote := newMirrors(t, source.Options{}), source.Remote{URL: server.url()}
			old := snapshot(t, m, remote, source.Ref{Branch: "main"})
			server.on(test.answer)
			commit, err := m.Resolve(t.Context(), remote, source.Ref{Branch: "main"})
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("Resolve = %q, %v, want %v", commit, err, test.want)
			}
			if err != nil && len(err.Error()) > 700 {
				t.Errorf("the message has %d bytes", len(err.Error()))
			}
			if contents(t, old)["a"] != "1" {
				t.Error("the last good snapshot is gone")
			}
		})
	}
}

// httpHalf promises more than it sends.
func httpHalf(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, "001e# service=git-upload-pack\n0000")
	return true
}

func TestHalfAPackIsNeverSeen(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": strings.Repeat("some text\n", 5000), "b": "2"})
	server := repo.serve()
	m, remote := newMirrors(t, source.Options{}), source.Remote{URL: server.url()}
	commit, err := m.Resolve(t.Context(), remote, source.Ref{})
	must(t, err)
	recorded := httptest.NewRecorder()
	for _, keep := range []float64{0, 0.3, 0.7, 0.99} {
		server.on(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			server.intercept.Store(nil)
			recorded = httptest.NewRecorder()
			server.Config.Handler.ServeHTTP(recorded, r)
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			w.Write(recorded.Body.Bytes()[:int(keep*float64(recorded.Body.Len()))])
			return true
		})
		if s, err := m.Snapshot(t.Context(), remote, source.Ref{}, commit); err == nil {
			t.Errorf("Snapshot from %.0f %% of a pack works: %v", keep*100, contents(t, s))
			must(t, s.Close())
		}
		if m.DiskBytes() != 0 {
			t.Errorf("%d bytes are kept of half a pack", m.DiskBytes())
		}
	}
	if s := snapshot(t, m, remote, source.Ref{}); contents(t, s)["b"] != "2" {
		t.Error("the whole pack does not work afterwards")
	}
}

func TestADeadServerIsUnreachableInTime(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close() // never accepts
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, closed.Close())
	m := newMirrors(t, source.Options{ListTimeout: 200 * time.Millisecond})
	for name, addr := range map[string]net.Addr{"silent": listener.Addr(), "closed": closed.Addr()} {
		start := time.Now()
		_, err := m.Resolve(t.Context(), source.Remote{URL: "http://" + addr.String() + "/x.git"}, source.Ref{})
		if !errors.Is(err, source.ErrUnreachable) || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %v after %s, want ErrUnreachable", name, err, time.Since(start))
		}
	}
}

func TestMetadataAddressesAreNotDialed(t *testing.T) {
	m := newMirrors(t, source.Options{ListTimeout: 5 * time.Second})
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "0.0.0.0"} {
		start := time.Now()
		_, err := m.Resolve(t.Context(), source.Remote{URL: "http://" + host + "/x.git"}, source.Ref{})
		if !errors.Is(err, source.ErrUntrusted) || time.Since(start) > 2*time.Second {
			t.Errorf("%s: %v, want ErrUntrusted", host, err)
		}
	}
}

func TestBombsAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		opts  source.Options
	}{
		"one large object":  {map[string]string{"a": strings.Repeat("\x00", 20<<20)}, source.Options{MaxObjectBytes: 10 << 20}},
		"many objects":      {map[string]string{"a": "1", "b": "2", "c/d": "3", "e/f": "4"}, source.Options{MaxObjects: 5}},
		"large together":    {map[string]string{"a": strings.Repeat("a", 4<<20), "b": strings.Repeat("b", 4<<20)}, source.Options{MaxUnpackedBytes: 6 << 20}},
		"large on the wire": {map[string]string{"a": strings.Repeat("abcdefghi\n", 100000)}, source.Options{MaxPackBytes: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t)
			repo.commit(test.files)
			m, remote := newMirrors(t, test.opts), source.Remote{URL: repo.serve().url()}
			commit, err := m.Resolve(t.Context(), remote, source.Ref{})
			must(t, err)
			if _, err = m.Snapshot(t.Context(), remote, source.Ref{}, commit); !errors.Is(err, source.ErrTooLarge) {
				t.Errorf("Snapshot = %v, want ErrTooLarge", err)
			}
			if m.DiskBytes() != 0 {
				t.Errorf("%d bytes kept", m.DiskBytes())
			}
		})
	}
}
