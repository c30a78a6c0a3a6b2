package charts_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab/tgz"
	"github.com/muster-dev/muster/internal/source/charts"
)

// archive is a chart as helm package writes it.
func archive(t testing.TB, name, version string) []byte {
	t.Helper()
	return tgz.Pack(t, tgz.File{Name: name + "/Chart.yaml", Text: fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version)})
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// server is an HTTP server on loopback that remembers what it was asked and with which Authorization.
type server struct {
	*httptest.Server

	mu       sync.Mutex // guards the fields below
	pages    map[string]http.HandlerFunc
	rest     http.HandlerFunc // for paths without a page
	requests []string
	logins   []string
}

func newServer(t testing.TB) *server    { return start(t, (*httptest.Server).Start) }
func newTLSServer(t testing.TB) *server { return start(t, startTLS(t)) }

func start(t testing.TB, begin func(*httptest.Server)) *server {
	t.Helper()
	s := &server{pages: map[string]http.HandlerFunc{}, rest: http.NotFound}
	s.Server = httptest.NewUnstartedServer(s)
	// Clients that hang up on an untrusted certificate are what is tested, not news.
	s.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	begin(s.Server)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	if login := r.Header.Get("Authorization"); login != "" {
		s.logins = append(s.logins, r.URL.Path+" "+login)
	}
	page := s.pages[r.URL.Path]
	if page == nil {
		page = s.rest
	}
	s.mu.Unlock()
	page(w, r)
}

func (s *server) page(path string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = h
}

func (s *server) file(path string, data []byte) {
	s.page(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+digestOf(data)+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}

func (s *server) redirect(path, to string) {
	s.page(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
}

// asked gives the requests since the last call.
func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.requests
	s.requests = nil
	return asked
}

// heard is true if a secret reached the server in an Authorization header for a path with the prefix.
func (s *server) heard(prefix string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.logins, func(l string) bool { return strings.HasPrefix(l, prefix) })
}

// ca is the certificate of all TLS servers of these tests.
func (s *server) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// port is where the server listens.
func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	return port
}

// chartEntry is one version in an index.
type chartEntry struct {
	name, version, url string
	digest             string
}

// index is a repository's index as helm repo index writes it.
func index(entries ...chartEntry) []byte {
	byName := map[string][]chartEntry{}
	var names []string
	for _, e := range entries {
		if byName[e.name] == nil {
			names = append(names, e.name)
		}
		byName[e.name] = append(byName[e.name], e)
	}
	var b strings.Builder
	b.WriteString("apiVersion: v1\nentries:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "  %s:\n", name)
		for _, e := range byName[name] {
			fmt.Fprintf(&b, "  - apiVersion: v2\n    name: %s\n    version: %s\n", e.name, e.version)
			if e.digest != "" {
				fmt.Fprintf(&b, "    digest: %s\n", strings.TrimPrefix(e.digest, "sha256:"))
			}
			if e.url != "" {
				fmt.Fprintf(&b, "    urls:\n    - %q\n", e.url)
			}
		}
	}
	b.WriteString("generated: \"2026-01-01T00:00:00Z\"\n")
	return []byte(b.String())
}

// publish puts versions of one chart into a repository below a path.
func (s *server) publish(t testing.TB, path, name string, versions ...string) {
	t.Helper()
	var entries []chartEntry
	for _, version := range versions {
		data := archive(t, name, version)
		file := fmt.Sprintf("%s-%s.tgz", name, version)
		s.file(path+"/"+file, data)
		entries = append(entries, chartEntry{name: name, version: version, url: file, digest: digestOf(data)})
	}
	s.file(path+"/index.yaml", index(entries...))
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// named dials servers on loopback by names such as charts.example.com:443; what has no name is refused.
func named(servers map[string]*server) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		s, ok := servers[addr]
		if !ok {
			return nil, fmt.Errorf("dial %s: no such server in this test", addr)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, s.Listener.Addr().String())
	}
}

// impatient are options that make failing tests short.
func impatient() charts.Options {
	return charts.Options{RetryDelay: time.Millisecond}
}
