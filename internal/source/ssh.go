package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// sshWire runs git-upload-pack over ssh. go-git's own transport reads ~/.ssh/config and the proxy environment and sets
// no deadline on the handshake, so the connection is made here and only the Git messages are go-git's.
type sshWire struct {
	address address
	signer  ssh.Signer
	known   *knownhosts.HostKeyDB
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
}

func newSSHWire(a address, o Options, tmp string) (*sshWire, error) {
	if len(a.auth.SSHPrivateKey) == 0 {
		return nil, &Error{Op: "use", URL: a.shown, Kind: ErrUnauthorized, Detail: "ssh needs a private key and there is none",
			Hint: "put ssh-privatekey and known_hosts into the Secret"}
	}
	signer, err := ssh.ParsePrivateKey(a.auth.SSHPrivateKey)
	if err != nil {
		return nil, &Error{Op: "use", URL: a.shown, Kind: ErrInvalidRemote, Detail: "ssh-privatekey of the Secret is no usable private key",
			Hint: "use a PEM key without passphrase"}
	}
	known, err := parseKnownHosts(a.auth.SSHKnownHosts, tmp)
	if err != nil {
		return nil, &Error{Op: "use", URL: a.shown, Kind: ErrInvalidRemote, Detail: "known_hosts of the Secret cannot be read: " + oneLine(err.Error(), nil)}
	}
	return &sshWire{address: a, signer: signer, known: known, dial: o.Dial}, nil
}

// parseKnownHosts goes through a file because that is the only thing the library reads.
func parseKnownHosts(data []byte, tmp string) (*knownhosts.HostKeyDB, error) {
	f, err := os.CreateTemp(tmp, "known-hosts-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return knownhosts.NewDB(f.Name())
}

func (w *sshWire) close() {}

// session connects, proves the host, logs in and starts git-upload-pack. The context's deadline is the connection's.
func (w *sshWire) session(ctx context.Context, ep *transport.Endpoint) (transport.UploadPackSession, error) {
	addr := w.addr(ep)
	conn, err := w.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	s, err := w.start(conn, addr, ep.Path)
	if err != nil {
		stop()
		conn.Close()
		return nil, err
	}
	s.stop = stop
	return s, nil
}

func (w *sshWire) addr(ep *transport.Endpoint) string {
	port := ep.Port
	if port == 0 {
		port = defaultPorts["ssh"]
	}
	return net.JoinHostPort(strings.Trim(ep.Host, "[]"), strconv.Itoa(port))
}

func (w *sshWire) start(conn net.Conn, addr, path string) (*sshSession, error) {
	c, channels, requests, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		User: w.address.sshUser, Auth: []ssh.AuthMethod{ssh.PublicKeys(w.signer)},
		HostKeyCallback: w.checkHost,
		// Without this the server may offer a key type that known_hosts does not list, and a known host looks changed.
		HostKeyAlgorithms: w.known.HostKeyAlgorithms(addr),
	})
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(c, channels, requests)
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	s := &sshSession{client: client, session: session, complaint: &boundedText{}}
	session.Stderr = s.complaint
	if s.in, err = session.StdinPipe(); err != nil {
		return nil, err
	}
	if s.out, err = session.StdoutPipe(); err != nil {
		return nil, err
	}
	return s, session.Start(transport.UploadPackServiceName + " " + shellQuote(path))
}

// hostKeyError carries what a person needs to decide about a host key.
type hostKeyError struct {
	host, fingerprint, keyType string
	changed                    bool
}

// Error implements error.
func (e *hostKeyError) Error() string {
	if e.changed {
		return fmt.Sprintf("the host key of %s is %s %s, which is not the one in known_hosts", e.host, e.keyType, e.fingerprint)
	}
	return fmt.Sprintf("the host key of %s is unknown: %s %s", e.host, e.keyType, e.fingerprint)
}

func (e *hostKeyError) hint() string {
	if e.changed {
		return "somebody may be in between: ask the host's owner before you replace the line in known_hosts"
	}
	return "compare the fingerprint with the host's owner, then put the line that ssh-keyscan prints for it into known_hosts of the Secret"
}

// checkHost is strict: what known_hosts does not list is refused, before any credential is shown.
func (w *sshWire) checkHost(host string, remote net.Addr, key ssh.PublicKey) error {
	err := w.known.HostKeyCallback()(host, remote, key)
	if err == nil {
		return nil
	}
	return &hostKeyError{
		host: knownhosts.Normalize(host), keyType: key.Type(), fingerprint: ssh.FingerprintSHA256(key),
		changed: !knownhosts.IsHostUnknown(err),
	}
}

// shellQuote makes one argument of a path for the login shell at the other end, as git's sq_quote_buf does.
func shellQuote(path string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(path) + "'"
}

// sshSession is one run of git-upload-pack.
type sshSession struct {
	client    *ssh.Client
	session   *ssh.Session
	in        io.WriteCloser
	out       io.Reader
	complaint *boundedText
	stop      func() bool
	listed    bool
}

var _ transport.UploadPackSession = (*sshSession)(nil)

// AdvertisedReferences implements transport.Session.
func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(context.Background())
}

// AdvertisedReferencesContext reads the refs the server sends first.
func (s *sshSession) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	adv := packp.NewAdvRefs()
	err := adv.Decode(&io.LimitedReader{R: s.out, N: maxListing})
	switch {
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && adv.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	case errors.Is(err, packp.ErrEmptyInput):
		return nil, s.refusal()
	case err != nil:
		return nil, err
	}
	transport.FilterUnsupportedCapabilities(adv.Capabilities)
	s.listed = true
	return adv, nil
}

// refusal turns what the server wrote instead of refs into an error.
func (s *sshSession) refusal() error {
	// Some servers end only when they are told that nothing follows; if that fails the connection is gone anyway.
	_ = s.in.Close()
	// Wait, so that all of stderr has been read.
	if err := s.session.Wait(); err == nil {
		return io.ErrUnexpectedEOF
	}
	text := s.complaint.String()
	for _, sign := range []string{"not appear to be a git repository", "not found", "does not exist", "no such repository", "could not be found"} {
		if strings.Contains(strings.ToLower(text), sign) {
			return transport.ErrRepositoryNotFound
		}
	}
	return fmt.Errorf("git-upload-pack refused: %s", text)
}

// UploadPack asks for objects and gives the answer, whose Close ends the conversation.
func (s *sshSession) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if !s.listed {
		if _, err := s.AdvertisedReferencesContext(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.send(req); err != nil {
		return nil, err
	}
	res := packp.NewUploadPackResponse(req)
	return res, res.Decode(io.NopCloser(s.out))
}

func (s *sshSession) send(req *packp.UploadPackRequest) error {
	if err := req.UploadRequest.Encode(s.in); err != nil {
		return fmt.Errorf("send wants: %w", err)
	}
	if err := req.UploadHaves.Encode(s.in, true); err != nil {
		return fmt.Errorf("send haves: %w", err)
	}
	if err := pktline.NewEncoder(s.in).EncodeString("done\n"); err != nil {
		return fmt.Errorf("send done: %w", err)
	}
	return s.in.Close()
}

// Close ends the conversation and its connection.
func (s *sshSession) Close() error {
	s.stop()
	err := s.client.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// boundedText keeps the first bytes of what a server complains about.
type boundedText struct{ buf bytes.Buffer }

// Write implements io.Writer and never fails, so that the server is not stopped by its own words.
func (t *boundedText) Write(p []byte) (int, error) {
	if left := 2*maxDetail - t.buf.Len(); left > 0 {
		t.buf.Write(p[:min(left, len(p))])
	}
	return len(p), nil
}

// String is what was kept.
func (t *boundedText) String() string { return t.buf.String() }
