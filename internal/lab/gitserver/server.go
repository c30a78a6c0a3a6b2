package gitserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxPack bounds the body of one request, in bytes.
const maxPack = 1 << 30

// Push is one ref that a push moved.
type Push struct {
	// Repository is the name below the server's root, such as fleet.git.
	Repository string
	// Ref such as refs/heads/main, and its commits.
	Ref, Before, After string
}

// Server serves the bare repositories below a directory.
type Server struct {
	root    string
	backend string
	pushed  func(Push)
}

// New makes a server of the repositories below root; pushed is called for each
// ref after a push was accepted, and must not block for long.
func New(root string, pushed func(Push)) (*Server, error) {
	backend, err := Backend()
	if err != nil {
		return nil, err
	}
	return &Server{root: root, backend: backend, pushed: pushed}, nil
}

// Backend finds git's http-backend.
func Backend() (string, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("find git: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find git http-backend (a part of git; some systems package it as git-daemon or git-http-backend): %w", err)
	}
	return path, nil
}

// Serve serves l until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		// A listener that does not close has nobody left to tell.
		_ = server.Close()
	})
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve Git on %s: %w", l.Addr(), err)
	}
	return nil
}

// ServeHTTP hands the request to http-backend and then tells of what was pushed.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record, err := os.CreateTemp("", "push-")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer os.Remove(record.Name())
	defer record.Close()
	done, err := bufferBody(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	defer done()
	backend := cgi.Handler{
		Path: s.backend, Root: "/", Dir: s.root, Logger: log.New(os.Stderr, "http-backend: ", 0),
		InheritEnv: []string{"PATH"},
		Env: []string{
			"GIT_PROJECT_ROOT=" + s.root, "GIT_HTTP_EXPORT_ALL=1", pushLog + "=" + record.Name(),
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_PROTOCOL=" + r.Header.Get("Git-Protocol"),
		},
	}
	backend.ServeHTTP(w, r)
	if repository, ok := strings.CutSuffix(r.URL.Path, "/git-receive-pack"); ok {
		s.tell(strings.TrimPrefix(repository, "/"), record)
	}
}

// bufferBody gives a chunked body a length: git sends packs over 1 MiB in
// chunks, which CGI has no way to express.
func bufferBody(r *http.Request) (done func(), err error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxPack)
	if len(r.TransferEncoding) == 0 {
		return func() {}, nil
	}
	file, err := os.CreateTemp("", "pack-")
	if err != nil {
		return nil, fmt.Errorf("buffer a push: %w", err)
	}
	// An open file needs no name; without one it cannot be left behind.
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("buffer a push: %w", err)
	}
	size, err := io.Copy(file, r.Body)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("buffer a push: %w", err), file.Close())
	}
	r.Body, r.ContentLength, r.TransferEncoding = file, size, nil
	return func() { file.Close() }, nil
}

// maxRefs bounds what is read of one push's record, in bytes.
const maxRefs = 1 << 20

func (s *Server) tell(repository string, record io.Reader) {
	lines, err := io.ReadAll(io.LimitReader(record, maxRefs))
	if err != nil {
		log.Printf("read what was pushed to %s: %v", repository, err)
	}
	for line := range strings.Lines(string(lines)) {
		if f := strings.Fields(line); len(f) == 3 {
			s.pushed(Push{Repository: repository, Before: f[0], After: f[1], Ref: f[2]})
		}
	}
}
