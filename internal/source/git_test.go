package source_test

import (
	"encoding/hex"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-dev/muster/internal/source"
)

// repository is a real work tree whose .git directory the test servers serve.
type repository struct {
	t    testing.TB
	root string
	dir  string
}

func newRepository(t testing.TB) *repository {
	t.Helper()
	root := t.TempDir()
	r := &repository{t: t, root: root, dir: filepath.Join(root, "repo")}
	r.command("", "git", "init", "-q", "-b", "main", r.dir)
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	return r.command(r.dir, "git", args...)
}

func (r *repository) command(dir, name string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME="+r.root,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files and commits everything; an empty content removes the file.
func (r *repository) commit(files map[string]string) string {
	r.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.dir, name)
		if content == "" {
			must(r.t, os.RemoveAll(path))
			continue
		}
		must(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(r.t, os.WriteFile(path, []byte(content), 0o644))
	}
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", "Change the files")
	return r.git("rev-parse", "HEAD")
}

// gitServer is git http-backend on loopback, counting what it is asked.
type gitServer struct {
	*httptest.Server
	listings, fetches, requests atomic.Int64
	// intercept may answer a request itself and say so.
	intercept atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func (r *repository) serve() *gitServer {
	r.t.Helper()
	s := &gitServer{}
	s.Server = httptest.NewServer(s.handler(r))
	r.t.Cleanup(s.Close)
	return s
}

func (r *repository) serveTLS() *gitServer {
	r.t.Helper()
	s := &gitServer{}
	s.Server = httptest.NewTLSServer(s.handler(r))
	r.t.Cleanup(s.Close)
	return s
}

func (s *gitServer) handler(r *repository) http.Handler {
	out, err := exec.Command("git", "--exec-path").Output()
	must(r.t, err)
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + r.root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=" + r.root},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.requests.Add(1)
		switch {
		case req.Method == http.MethodPost:
			s.fetches.Add(1)
		case strings.HasSuffix(req.URL.Path, "/info/refs"):
			s.listings.Add(1)
		}
		if f := s.intercept.Load(); f != nil && (*f)(w, req) {
			return
		}
		backend.ServeHTTP(w, req)
	})
}

func (s *gitServer) on(f func(http.ResponseWriter, *http.Request) bool) { s.intercept.Store(&f) }

func (s *gitServer) url() string { return s.URL + "/repo/.git" }

func newMirrors(t testing.TB, opts source.Options) *source.Mirrors {
	t.Helper()
	m, err := source.NewMirrors(t.TempDir(), opts)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return m
}

// snapshot resolves and opens in one step.
func snapshot(t testing.TB, m *source.Mirrors, remote source.Remote, ref source.Ref) *source.Snapshot {
	t.Helper()
	commit, err := m.Resolve(t.Context(), remote, ref)
	must(t, err)
	s, err := m.Snapshot(t.Context(), remote, ref, commit)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// gitInput runs git with standard input.
func (r *repository) gitInput(input string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// hexBytes decodes an object id.
func hexBytes(t testing.TB, id string) string {
	t.Helper()
	raw, err := hex.DecodeString(id)
	must(t, err)
	return string(raw)
}
