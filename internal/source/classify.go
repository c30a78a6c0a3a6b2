package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// verdict is what a failure means and what to do about it.
type verdict struct {
	kind         error
	detail, hint string
}

// fail wraps whatever a conversation with a repository ended in. It is the only place where foreign text becomes a
// message, so the only place that has to take secrets out.
func (a address) fail(ctx context.Context, op string, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	err = opened(err)
	v := classify(err)
	if ctx.Err() != nil && v.kind != ErrUntrusted && v.kind != ErrTooLarge {
		// What a cut connection looks like depends on where it was cut; the cause is the context.
		v = verdict{ErrUnreachable, "no complete answer in time", "is the server up and reachable from the hub?"}
		err = ctx.Err()
	}
	e := &Error{Op: op, URL: a.shown, Kind: v.kind, Detail: oneLine(v.detail, a.auth.secrets()), Hint: v.hint}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.Cause = context.Cause(ctx)
		if e.Cause == nil {
			e.Cause = context.DeadlineExceeded
		}
	}
	return e
}

// opened takes off go-git's wrappers that errors.Is and errors.As do not see through.
func opened(err error) error {
	var unexpected *plumbing.UnexpectedError
	for errors.As(err, &unexpected) {
		err = unexpected.Err
	}
	var permanent *plumbing.PermanentError
	if errors.As(err, &permanent) {
		return permanent.Err
	}
	return err
}

// classify decides what kind of failure an error of the transport, the network or the file system is.
func classify(err error) verdict {
	for _, look := range []func(error) (verdict, bool){trustVerdict, boundVerdict, serverVerdict, networkVerdict} {
		if v, ok := look(err); ok {
			return v
		}
	}
	return verdict{ErrProtocol, "the answer cannot be used: " + err.Error(), "does the URL name a Git repository?"}
}

func trustVerdict(err error) (verdict, bool) {
	var hostKey *hostKeyError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &hostKey):
		return verdict{ErrUntrusted, hostKey.Error(), hostKey.hint()}, true
	case errors.Is(err, errRedirect), strings.Contains(err.Error(), "http redirect: "):
		return verdict{ErrUntrusted, lastClause(err, "redirect"), "put the repository's new URL into spec.repo if you trust it"}, true
	case errors.As(err, &certificate), errors.As(err, &authority):
		return verdict{ErrUntrusted, lastClause(err, "tls: "), "put the CA's certificate into caBundle"}, true
	case strings.Contains(err.Error(), "no common algorithm for host key"):
		return verdict{ErrUntrusted, "the server has no host key of the types that known_hosts lists", "compare ssh-keyscan's output with the host's owner and complete known_hosts"}, true
	case errors.Is(err, ErrUntrusted):
		return verdict{ErrUntrusted, err.Error(), ""}, true
	}
	return verdict{}, false
}

func boundVerdict(err error) (verdict, bool) {
	switch {
	case errors.Is(err, ErrTooLarge):
		return verdict{ErrTooLarge, err.Error(), "deploy from a smaller repository, or raise the limit"}, true
	case errors.Is(err, syscall.ENOSPC):
		return verdict{ErrTooLarge, "no space left in the mirror directory", "give it more room, or lower the cap on mirrors"}, true
	}
	return verdict{}, false
}

func serverVerdict(err error) (verdict, bool) {
	const check = "check the Secret named in clientSecretName"
	var status *githttp.Err
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired):
		return verdict{ErrUnauthorized, "the server wants other credentials (401)", check}, true
	case errors.Is(err, transport.ErrAuthorizationFailed):
		return verdict{ErrUnauthorized, "the credentials may not read this (403)", check}, true
	case strings.Contains(err.Error(), "ssh: unable to authenticate"):
		return verdict{ErrUnauthorized, "the server does not accept the ssh key", check}, true
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return verdict{ErrRepositoryNotFound, "there is no such repository, or these credentials may not see it", "check spec.repo and the Secret named in clientSecretName"}, true
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return verdict{ErrRefNotFound, "the repository has no commit yet", "push one"}, true
	case errors.Is(err, errNotServed):
		return verdict{ErrRefNotFound, "the server does not give out this commit any more", "resolve it again"}, true
	case errors.Is(err, ErrCorrupt):
		return verdict{ErrCorrupt, err.Error(), "it is cloned anew at the next try"}, true
	case errors.As(err, &status) && (status.StatusCode() >= 500 || status.StatusCode() == 429):
		return verdict{ErrUnreachable, fmt.Sprintf("the server answered %d", status.StatusCode()), ""}, true
	case errors.As(err, &status):
		return verdict{ErrProtocol, fmt.Sprintf("the server answered %d", status.StatusCode()), "does the URL name a Git repository?"}, true
	}
	return verdict{}, false
}

func networkVerdict(err error) (verdict, bool) {
	var network net.Error
	switch {
	case errors.As(err, &network), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return verdict{ErrUnreachable, lastClause(err, "dial "), "is the server up and reachable from the hub?"}, true
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return verdict{ErrUnreachable, "the answer ended half way", ""}, true
	}
	return verdict{}, false
}

// lastClause cuts the wrapping off an error's text where a known word starts, as net/http puts the URL in front.
func lastClause(err error, from string) string {
	text := err.Error()
	if i := strings.Index(text, from); i > 0 {
		return text[i:]
	}
	return text
}
