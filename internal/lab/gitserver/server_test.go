package gitserver_test

import (
	"bytes"
	"crypto/hmac"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab/gitserver"
)

// serve starts a server with one repository seeded from files.
func serve(t *testing.T, files map[string]string) (url, commit string, pushes chan gitserver.Push) {
	t.Helper()
	root, seed := t.TempDir(), t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(seed, name), content)
	}
	commit, err := gitserver.Create(t.Context(), root, "fleet.git", seed)
	if err != nil {
		t.Fatal(err)
	}
	pushes = make(chan gitserver.Push, 10)
	server, err := gitserver.New(root, func(p gitserver.Push) { pushes <- p })
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(t.Context(), l)
	return "http://" + l.Addr().String() + "/fleet.git", commit, pushes
}

func TestAPushIsAcceptedAndTold(t *testing.T) {
	url, first, pushes := serve(t, map[string]string{"a/one.yaml": "one: 1\n", ".fleetignore": "x\n", ".gitignore": "*.yaml\n"})
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, "", "clone", "-q", url, clone)
	got := strings.Fields(git(t, clone, "ls-files"))
	if diff := cmp.Diff([]string{".fleetignore", ".gitignore", "a/one.yaml"}, got); diff != "" {
		t.Errorf("seeded files (-want +got):\n%s", diff)
	}
	// More than http.postBuffer and not compressible: git sends it in chunks.
	big := make([]byte, 3<<20)
	rand.New(rand.NewSource(1)).Read(big)
	write(t, filepath.Join(clone, "big.bin"), string(big))
	git(t, clone, "add", "big.bin")
	git(t, clone, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "Add a big file")
	git(t, clone, "push", "-q", "origin", "HEAD:main")
	want := gitserver.Push{Repository: "fleet.git", Ref: "refs/heads/main", Before: first, After: strings.TrimSpace(git(t, clone, "rev-parse", "HEAD"))}
	select {
	case got := <-pushes:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("push (-want +got):\n%s", diff)
		}
	case <-time.After(10 * time.Second):
		t.Error("the push was not told")
	}
}

func TestSeedingLeavesTheDirectoryAlone(t *testing.T) {
	seed := t.TempDir()
	write(t, filepath.Join(seed, "one.yaml"), "one: 1\n")
	if _, err := gitserver.Create(t.Context(), t.TempDir(), "x.git", seed); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(seed)
	if err != nil || len(entries) != 1 {
		t.Errorf("the seed directory holds %v, %v; want one.yaml alone", entries, err)
	}
}

func TestAWebhookIsSignedOverItsBytes(t *testing.T) {
	secret := []byte("s3cret")
	verified := make(chan bool, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		good := err == nil && hmac.Equal([]byte(r.Header.Get("X-Hub-Signature-256")), []byte(gitserver.Sign(secret, body)))
		verified <- good && bytes.Contains(body, []byte(`"ref":"refs/heads/main"`)) && r.Header.Get("X-GitHub-Event") == "push"
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	hook := gitserver.Hook{URL: receiver.URL, Secret: secret}
	if err := hook.Deliver(t.Context(), "http://git/fleet.git", gitserver.Push{Ref: "refs/heads/main"}); err != nil {
		t.Fatal(err)
	}
	if !<-verified {
		t.Error("the receiver could not verify the webhook")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.Command("git", args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}
