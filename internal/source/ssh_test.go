package source_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/muster-dev/muster/internal/source"
)

// sshServer is a real ssh server in this process that runs git-upload-pack, and nothing else, for one key.
type sshServer struct {
	repo     *repository
	addr     string
	host     ssh.Signer
	second   ssh.Signer // a host key of another type, if not nil
	user     ssh.PublicKey
	key      []byte
	commands chan string
}

// serveSSH serves with a host key of its own and, if given, a second one.
func (r *repository) serveSSH(second ...ssh.Signer) *sshServer {
	r.t.Helper()
	_, host := newKey(r.t)
	key, user := newKey(r.t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(r.t, err)
	r.t.Cleanup(func() { listener.Close() })
	s := &sshServer{repo: r, addr: listener.Addr().String(), host: host, user: user.PublicKey(), key: key, commands: make(chan string, 100)}
	for _, extra := range second {
		s.second = extra
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.handle(conn)
		}
	}()
	return s
}

func newKey(t testing.TB) (private []byte, signer ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	must(t, err)
	signer, err = ssh.NewSignerFromKey(key)
	must(t, err)
	return pem.EncodeToMemory(block), signer
}

func (s *sshServer) handle(conn net.Conn) {
	defer conn.Close()
	config := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() != "git" || !bytes.Equal(key.Marshal(), s.user.Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(s.host)
	if s.second != nil {
		config.AddHostKey(s.second)
	}
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		go s.session(channel, requests)
	}
}

func (s *sshServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for request := range requests {
		if request.Type != "exec" {
			request.Reply(false, nil)
			continue
		}
		request.Reply(true, nil)
		var payload struct{ Command string }
		must(s.repo.t, ssh.Unmarshal(request.Payload, &payload))
		s.commands <- payload.Command
		name, path, _ := strings.Cut(payload.Command, " ")
		status := struct{ Status uint32 }{}
		if name != "git-upload-pack" {
			status.Status = 1
		} else {
			cmd := exec.Command("git", "upload-pack", filepath.Join(s.repo.root, strings.Trim(path, "'")))
			cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
			// As sshd does, end with the command and not with the client's input.
			in, err := cmd.StdinPipe()
			must(s.repo.t, err)
			go func() { io.Copy(in, channel); in.Close() }()
			if err := cmd.Run(); err != nil {
				status.Status = 128
			}
		}
		channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}

func (s *sshServer) remote(knownHosts string) source.Remote {
	return source.Remote{URL: "ssh://git@" + s.addr + "/repo/.git", Auth: source.Auth{SSHPrivateKey: s.key, SSHKnownHosts: []byte(knownHosts)}}
}

func (s *sshServer) known() string {
	return knownhosts.Line([]string{s.addr}, s.host.PublicKey()) + "\n"
}

func TestSSH(t *testing.T) {
	repo := newRepository(t)
	first := repo.commit(map[string]string{"a": "1", "dir/b": strings.Repeat("text\n", 500)})
	repo.git("tag", "-a", "v1", "-m", "v1")
	server := repo.serveSSH()
	m := newMirrors(t, source.Options{})
	remote := server.remote(server.known())
	if s := snapshot(t, m, remote, source.Ref{Revision: "v1"}); s.Commit != first || contents(t, s)["a"] != "1" {
		t.Errorf("v1 is %s with %v", s.Commit, contents(t, s))
	}
	second := repo.commit(map[string]string{"dir/b": strings.Repeat("text\n", 501)})
	if s := snapshot(t, m, remote, source.Ref{Branch: "main"}); s.Commit != second || contents(t, s)["dir/b"] != strings.Repeat("text\n", 501) {
		t.Errorf("main is %s", s.Commit)
	}
	if got := <-server.commands; got != "git-upload-pack '/repo/.git'" {
		t.Errorf("command %q", got)
	}
}

func TestSSHCommitInsideHistoryOfAStrictServer(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	middle := repo.commit(map[string]string{"a": "2"})
	repo.commit(map[string]string{"a": "3"})
	server := repo.serveSSH()
	m, remote := newMirrors(t, source.Options{}), server.remote(server.known())
	if s := snapshot(t, m, remote, source.Ref{Revision: middle}); contents(t, s)["a"] != "2" {
		t.Errorf("files %v", contents(t, s))
	}
	unknown := source.Ref{Revision: strings.Repeat("ab", 20)}
	if _, err := m.Snapshot(t.Context(), remote, unknown, unknown.Revision); !errors.Is(err, source.ErrRefNotFound) {
		t.Errorf("unknown commit: %v, want ErrRefNotFound", err)
	}
}

func TestSSHHostKeys(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serveSSH()
	_, other := newKey(t)
	fingerprint := ssh.FingerprintSHA256(server.host.PublicKey())
	for name, test := range map[string]struct {
		known string
		want  []string
	}{
		"no known_hosts": {"", []string{"unknown", fingerprint, "ssh-keyscan"}},
		"another host":   {knownhosts.Line([]string{"git.example.com"}, server.host.PublicKey()), []string{"unknown", fingerprint}},
		"changed key":    {knownhosts.Line([]string{server.addr}, other.PublicKey()), []string{"not the one in known_hosts", fingerprint}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newMirrors(t, source.Options{}).Resolve(t.Context(), server.remote(test.known), source.Ref{})
			if !errors.Is(err, source.ErrUntrusted) {
				t.Fatalf("Resolve = %v, want ErrUntrusted", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\ndoes not say %q", err, part)
				}
			}
		})
	}
	if len(server.commands) != 0 {
		t.Error("a command was run on a server that is not trusted")
	}
}

func TestAHostIsKnownByAnyOfItsKeys(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	second, err := ssh.NewSignerFromKey(key)
	must(t, err)
	server := repo.serveSSH(second)
	// The client would prefer the other type, of which known_hosts says nothing.
	for _, host := range []ssh.Signer{server.host, server.second} {
		remote := server.remote(knownhosts.Line([]string{server.addr}, host.PublicKey()))
		_, err := newMirrors(t, source.Options{}).Resolve(t.Context(), remote, source.Ref{})
		if err != nil {
			t.Errorf("known by its %s key: %v", host.PublicKey().Type(), err)
		}
	}
}

func TestSSHRefusals(t *testing.T) {
	repo := newRepository(t)
	repo.commit(map[string]string{"a": "1"})
	server := repo.serveSSH()
	wrong, _ := newKey(t)
	remote := server.remote(server.known())
	for name, test := range map[string]struct {
		edit func(*source.Remote)
		want error
	}{
		"another key":   {func(r *source.Remote) { r.Auth.SSHPrivateKey = wrong }, source.ErrUnauthorized},
		"no key":        {func(r *source.Remote) { r.Auth = source.Auth{} }, source.ErrUnauthorized},
		"broken key":    {func(r *source.Remote) { r.Auth.SSHPrivateKey = []byte("secret garbage") }, source.ErrInvalidRemote},
		"broken hosts":  {func(r *source.Remote) { r.Auth.SSHKnownHosts = []byte("@@@ x y z") }, source.ErrInvalidRemote},
		"no repository": {func(r *source.Remote) { r.URL = strings.Replace(r.URL, "repo", "nothing", 1) }, source.ErrRepositoryNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			r := remote
			test.edit(&r)
			_, err := newMirrors(t, source.Options{}).Resolve(t.Context(), r, source.Ref{})
			if !errors.Is(err, test.want) || strings.Contains(err.Error(), "garbage") {
				t.Errorf("Resolve = %v, want %v", err, test.want)
			}
		})
	}
}

func TestAnSSHServerThatSaysNothingIsUnreachableInTime(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	key, signer := newKey(t)
	remote := source.Remote{URL: "ssh://git@" + listener.Addr().String() + "/x.git", Auth: source.Auth{
		SSHPrivateKey: key, SSHKnownHosts: []byte(knownhosts.Line([]string{listener.Addr().String()}, signer.PublicKey())),
	}}
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = newMirrors(t, source.Options{ListTimeout: 200 * time.Millisecond}).Resolve(ctx, remote, source.Ref{})
	if !errors.Is(err, source.ErrUnreachable) || time.Since(start) > 10*time.Second {
		t.Errorf("Resolve = %v after %s, want ErrUnreachable", err, time.Since(start))
	}
}
