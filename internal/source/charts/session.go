package charts

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// session is one call's conversation with servers: its connections, what they may be sent, and how often.
type session struct {
	options    Options
	credential Credential
	bound      binding
	// origin's connections are made as the credential says; elsewhere's never skip verification.
	origin, elsewhere *http.Transport
}

func newSession(o Options, c Credential, bound *url.URL) (*session, error) {
	roots, err := c.roots()
	if err != nil {
		return nil, &Error{Op: "use credential for", URL: show(bound), Kind: ErrInvalid, Detail: "the CA bundle holds no PEM certificate", Hint: "put the CA's certificate into cacerts of the Secret, PEM encoded"}
	}
	transport := func(insecure bool) *http.Transport {
		return &http.Transport{
			DialContext: o.Dial, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, InsecureSkipVerify: insecure},
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: o.RequestTimeout, IdleConnTimeout: 30 * time.Second,
			MaxConnsPerHost: 2, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &session{
		options: o, credential: c, bound: bind(bound),
		origin: transport(c.InsecureSkipTLSVerify), elsewhere: transport(false),
	}, nil
}

func (s *session) close() {
	s.origin.CloseIdleConnections()
	s.elsewhere.CloseIdleConnections()
}

// client sends requests that carry authorization where bound covers them.
func (s *session) client(bound binding, authorization string, r redirects) *http.Client {
	return &http.Client{
		Transport: carrier{session: s, bound: bound, authorization: authorization}, CheckRedirect: r.check,
		Timeout: s.options.RequestTimeout,
	}
}

// maxAttempts is how often a request is made when the answer is "later", or none.
const maxAttempts = 3

// do sends a request without a body, again if the server is busy or the connection failed.
func (s *session) do(client *http.Client, req *http.Request) (*http.Response, error) {
	delay := s.options.RetryDelay
	for attempt := 1; ; attempt++ {
		res, err := client.Do(req)
		if attempt == maxAttempts || !again(req.Context(), res, err) {
			return res, err
		}
		if res != nil {
			res.Body.Close()
		}
		if err := pause(req.Context(), delay); err != nil {
			return nil, err
		}
		delay *= 2
	}
}

// maxRetryAfter is how long a server may ask us to wait within one call; beyond it the caller's schedule takes over.
const maxRetryAfter = 1

func again(ctx context.Context, res *http.Response, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		return verdictOf(err).kind == ErrUnreachable && !timedOut(err)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		return err != nil || seconds <= maxRetryAfter
	}
	return false
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// query is one GET.
type query struct {
	op       string
	url      *url.URL
	redirect redirects
	limit    int64
	// known are the validators of what is there already.
	known validators
	// packed allows the answer to come compressed; archives must not.
	packed bool
}

// validators make a request conditional.
type validators struct {
	etag, modified string
}

// answer is what a GET gave. Unchanged means that what the validators stood for still holds.
type answer struct {
	unchanged  bool
	body       []byte
	validators validators
}

// get makes a query with the session's credential.
func (s *session) get(ctx context.Context, q query) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url.String(), nil)
	if err != nil {
		return answer{}, s.fail(ctx, q, err)
	}
	q.known.ask(req)
	if q.packed {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	res, err := s.do(s.client(s.bound, s.credential.basic(), q.redirect), req)
	if err != nil {
		return answer{}, s.fail(ctx, q, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified && q.known != (validators{}) {
		return answer{unchanged: true, validators: q.known}, nil
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, s.refused(q, res)
	}
	body, err := readBody(res, q)
	if err != nil {
		return answer{}, s.fail(ctx, q, err)
	}
	return answer{body: body, validators: validators{res.Header.Get("ETag"), res.Header.Get("Last-Modified")}}, nil
}

func (v validators) ask(req *http.Request) {
	if v.etag != "" {
		req.Header.Set("If-None-Match", v.etag)
	}
	if v.modified != "" {
		req.Header.Set("If-Modified-Since", v.modified)
	}
}

// readBody reads an answer up to the limit, which holds for what it unpacks to.
func readBody(res *http.Response, q query) ([]byte, error) {
	if res.ContentLength > q.limit {
		return nil, fmt.Errorf("%w: the answer has %d bytes, allowed are %d", ErrTooLarge, res.ContentLength, q.limit)
	}
	var body io.Reader = res.Body
	if q.packed && strings.EqualFold(res.Header.Get("Content-Encoding"), "gzip") {
		unpacked, err := gzip.NewReader(res.Body)
		if err != nil {
			return nil, fmt.Errorf("%w: the answer is not compressed as it says", ErrProtocol)
		}
		body = unpacked
	}
	return readAll(body, q.limit)
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: the answer has more than %d bytes", ErrTooLarge, limit)
	}
	return data, nil
}
