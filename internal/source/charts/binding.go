package charts

import (
	"net"
	"net/url"
	"strings"
)

// binding is where credentials may be sent: one origin and the paths below a prefix.
type binding struct {
	origin string
	path   []string
}

func bind(u *url.URL) binding {
	return binding{origin: origin(u), path: segments(u.Path)}
}

// covers is true for URLs of the same scheme, host and port whose path has the prefix, segment by segment.
func (b binding) covers(u *url.URL) bool {
	if origin(u) != b.origin || u.Opaque != "" {
		return false
	}
	path := segments(u.Path)
	if len(path) < len(b.path) {
		return false
	}
	for i, segment := range path {
		// Servers and proxies differ in how they read these, so none gets credentials.
		if segment == "." || segment == ".." || strings.ContainsAny(segment, "\\;") {
			return false
		}
		if i < len(b.path) && segment != b.path[i] {
			return false
		}
	}
	return true
}

// segments splits a decoded path; empty segments do not count.
func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// origin is scheme, host and port in the form in which equal ones compare equal.
func origin(u *url.URL) string {
	return strings.ToLower(u.Scheme) + "://" + net.JoinHostPort(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port(u))
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if strings.EqualFold(u.Scheme, "http") {
		return "80"
	}
	return "443"
}
