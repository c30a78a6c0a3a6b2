package charts

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// carrier is the only thing that puts an Authorization header on a request, so the only place to look at for leaks.
type carrier struct {
	*session
	bound         binding
	authorization string
}

// RoundTrip implements http.RoundTripper.
func (c carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Del("Authorization") // net/http makes one of user information in a redirect
	req.Header.Del("Referer")       // a signed URL's query is a secret too
	if c.authorization != "" && c.bound.covers(req.URL) {
		req.Header.Set("Authorization", c.authorization)
	}
	if origin(req.URL) == c.session.bound.origin {
		return c.origin.RoundTrip(req)
	}
	return c.elsewhere.RoundTrip(req)
}

// redirects says where a server may send us.
type redirects int

const (
	// within one origin, or from http to https on the same host.
	within redirects = iota
	// abroad is anywhere but from https to http, and without credentials: for archives and
	// blobs, which digests check, and for indexes, since public repositories move (Helm
	// follows them, and Fleet's users have the old address in their files).
	abroad
)

const maxRedirects = 5

// errRedirect is the refusal of a redirect; its text says where to.
var errRedirect = errors.New("redirect refused")

func (r redirects) check(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	to := fmt.Sprintf("%s://%s", req.URL.Scheme, req.URL.Host)
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d of them", errRedirect, maxRedirects)
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("%w: to %s", errRedirect, to)
	case from.Scheme == "https" && req.URL.Scheme == "http":
		return fmt.Errorf("%w: from https to %s", errRedirect, to)
	case r == abroad || origin(req.URL) == origin(from):
		return nil
	case from.Scheme == "http" && req.URL.Scheme == "https" && strings.EqualFold(from.Hostname(), req.URL.Hostname()):
		return nil
	}
	return fmt.Errorf("%w: to another server, %s", errRedirect, to)
}
