package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// maxListing bounds an advertisement of refs, about 250,000 of them.
const maxListing = 16 << 20

// httpWire speaks smart HTTP through go-git's transport with a client of our own: no proxy, no foreign redirect,
// bounded answers. go-git's global table of transports is not used, so file and git do not exist here.
type httpWire struct {
	address address
	client  transport.Transport
	idle    *http.Transport
}

func newHTTPWire(r Remote, a address, o Options) (*httpWire, error) {
	trust, err := tlsConfig(r, a)
	if err != nil {
		return nil, err
	}
	base := &http.Transport{
		DialContext: o.Dial, TLSClientConfig: trust, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 90 * time.Second,
		MaxIdleConnsPerHost: 2, MaxConnsPerHost: 4, MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{
		Transport:     boundedTripper{base: base, listing: maxListing, pack: o.MaxPackBytes + maxListing},
		CheckRedirect: sameOrigin,
	}
	return &httpWire{
		address: a, idle: base,
		client: githttp.NewClientWithOptions(client, &githttp.ClientOptions{RedirectPolicy: githttp.FollowInitialRedirects}),
	}, nil
}

func tlsConfig(r Remote, a address) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: r.InsecureSkipTLSVerify}
	if len(r.CABundle) == 0 {
		return config, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(r.CABundle) {
		return nil, &Error{Op: "use", URL: a.shown, Kind: ErrInvalidRemote, Detail: "caBundle holds no PEM certificate", Hint: "put the CA's certificate there, PEM encoded"}
	}
	config.RootCAs = pool
	return config, nil
}

// session starts a conversation with the endpoint that answered a listing, which a redirect on the same host may have
// moved; the zero endpoint means the remote's own.
func (w *httpWire) session(_ context.Context, ep *transport.Endpoint) (transport.UploadPackSession, error) {
	var auth transport.AuthMethod
	if w.address.auth.Username != "" || w.address.auth.Password != "" {
		auth = &githttp.BasicAuth{Username: w.address.auth.Username, Password: w.address.auth.Password}
	}
	return w.client.NewUploadPackSession(ep, auth)
}

func (w *httpWire) close() { w.idle.CloseIdleConnections() }

// errRedirect is the refusal of a redirect to another server.
var errRedirect = errors.New("redirect to another server refused")

// sameOrigin lets a server move a repository within itself only; credentials and trust are bound to scheme, host and
// port.
func sameOrigin(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if !strings.EqualFold(req.URL.Scheme, from.Scheme) || !strings.EqualFold(req.URL.Host, from.Host) {
		return fmt.Errorf("%w: %s://%s", errRedirect, req.URL.Scheme, req.URL.Host)
	}
	return nil
}

// boundedTripper ends answers that are longer than any we would use.
type boundedTripper struct {
	base          http.RoundTripper
	listing, pack int64
}

// RoundTrip implements http.RoundTripper.
func (t boundedTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode >= http.StatusMultipleChoices:
		// The text of a refusal is cut, not refused: it only adds to a message.
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, 4*maxDetail), res.Body}
	case req.Method == http.MethodPost:
		res.Body = &boundedBody{body: res.Body, left: t.pack}
	default:
		res.Body = &boundedBody{body: res.Body, left: t.listing}
	}
	return res, nil
}

type boundedBody struct {
	body io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return 0, fmt.Errorf("answer: %w", ErrTooLarge)
	}
	return n, err
}

// Close implements io.Closer.
func (b *boundedBody) Close() error { return b.body.Close() }
