package charts

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// hintSecret says where credentials belong.
const hintSecret = "put username and password into the Secret that helmSecretName or helmSecretNameForPaths of the GitRepo names"

// verdict is what a failure means and what to do about it.
type verdict struct {
	kind         error
	detail, hint string
}

// fail wraps whatever a request ended in.
func (s *session) fail(ctx context.Context, q query, err error) error {
	return failure(ctx, q.op, show(q.url), err)
}

func failure(ctx context.Context, op, shown string, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	v := verdictOf(err)
	e := &Error{Op: op, URL: shown, Kind: v.kind, Detail: manifest.Clean(v.detail), Hint: v.hint}
	if ctx.Err() != nil && (v.kind == ErrUnreachable || v.kind == ErrProtocol) {
		e.Kind, e.Detail, e.Hint = ErrUnreachable, "no complete answer in time", "is the server up and reachable from the hub?"
		e.Cause = context.Cause(ctx)
	}
	return e
}

// verdictOf decides what kind of failure an error of the network or of ours is.
func verdictOf(err error) verdict {
	// net/http puts the URL in front, whose query may be a secret.
	var request *url.Error
	for errors.As(err, &request) {
		err = request.Err
	}
	if v, ok := trustVerdict(err); ok {
		return v
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return verdict{ErrTooLarge, err.Error(), "use a smaller chart or repository, or raise the limit"}
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrTampered), errors.Is(err, ErrProtocol):
		return verdict{firstOf(err, ErrUnauthorized, ErrTampered, ErrProtocol), err.Error(), ""}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return verdict{ErrProtocol, "the answer is compressed and damaged", ""}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return verdict{ErrUnreachable, "the answer ended half way", ""}
	case timedOut(err):
		return verdict{ErrUnreachable, "no complete answer in time", "is the server up and reachable from the hub?"}
	}
	if text, ok := networkText(err); ok {
		return verdict{ErrUnreachable, text, "is the server up and reachable from the hub?"}
	}
	return verdict{ErrProtocol, err.Error(), ""}
}

// networkText tells a failure of the network without what differs from one try to the next, such as our own port.
func networkText(err error) (string, bool) {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return fmt.Sprintf("%s %s: %v", op.Op, op.Addr, op.Err), true
	}
	var network net.Error
	text := err.Error()
	for _, broken := range []string{"http2: ", "stream error: ", "connection error: "} {
		if strings.Contains(text, broken) {
			return "the connection broke", true // net/http does not export these
		}
	}
	return text, errors.As(err, &network) || errors.Is(err, context.Canceled)
}

func trustVerdict(err error) (verdict, bool) {
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errRedirect):
		return verdict{ErrUntrusted, err.Error(), "if you trust the other server, name it in fleet.yaml instead"}, true
	case errors.As(err, &certificate), errors.As(err, &authority):
		return verdict{ErrUntrusted, err.Error(), "put the CA's certificate into cacerts of the Secret named in helmSecretName"}, true
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return verdict{ErrUntrusted, "the server does not speak TLS here", "for a registry without TLS set basicHTTP in the Secret named in helmSecretName"}, true
	case errors.Is(err, ErrUntrusted):
		return verdict{ErrUntrusted, err.Error(), ""}, true
	}
	return verdict{}, false
}

func firstOf(err error, kinds ...error) error {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return ErrProtocol
}

func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// refused is the error for a status other than the wanted.
func (s *session) refused(q query, res *http.Response) error {
	e := &Error{Op: q.op, URL: show(q.url)}
	where := ""
	if last := res.Request.URL; origin(last) != origin(q.url) {
		where = fmt.Sprintf(" by %s", origin(last))
	}
	e.Detail = fmt.Sprintf("answered %d%s", res.StatusCode, where)
	e.Hint, e.Kind = s.judge(res.StatusCode, res.Request.URL)
	return e
}

// judge says what a status means; last is the URL that answered, after redirects.
func (s *session) judge(code int, last *url.URL) (hint string, kind error) {
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return s.loginHint(last), ErrUnauthorized
	case code == http.StatusNotFound || code == http.StatusGone:
		return "check the name and the version; some servers answer so when credentials are missing", ErrNotFound
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return "", ErrUnreachable
	}
	return "", ErrProtocol
}

// loginHint says which of the ways to give credentials was not taken.
func (s *session) loginHint(last *url.URL) string {
	switch {
	case !s.credential.login():
		return hintSecret + ", and see that helmRepoURLRegex, if set, matches the repository"
	case !s.bound.covers(last):
		return "the Secret's username and password were not sent: they are for " + s.bound.String() + " only"
	}
	return "check username and password in the Secret that helmSecretName or helmSecretNameForPaths of the GitRepo names"
}

// String shows a binding as a URL prefix.
func (b binding) String() string { return b.origin + "/" + strings.Join(b.path, "/") }
