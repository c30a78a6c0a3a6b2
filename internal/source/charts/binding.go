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
	return binding{origin: origin(u), path: segments(u)}
}

// covers is true for URLs of the same scheme, host and port whose path has the prefix, segment by segment.
func (b binding) covers(u *url.URL) bool {
	if origin(u) != b.origin || u.Opaque != "" {
		return false
	}
	path := segments(u)
	if len(path) < len(b.path) {
		return false
	}
	for i, segment := range path {
		if ambiguous(segment) {
			return false
		}
		if i < len(b.path) && segment != b.path[i] {
			return false
		}
	}
	return true
}

// ambiguous is true for segments that servers and proxies read in different ways: dots, also behind an encoded slash, as
// well as backslashes and parameters. None of them gets credentials.
func ambiguous(segment string) bool {
	if strings.ContainsAny(segment, "\\;") {
		return true
	}
	for part := range strings.SplitSeq(segment, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// segments splits a path and then decodes: an encoded slash is part of a name, as in group%2Fproject of GitLab's
// repositories. Empty segments do not count.
func segments(u *url.URL) []string {
	var decoded []string
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if segment == "" {
			continue
		}
		if plain, err := url.PathUnescape(segment); err == nil {
			segment = plain
		}
		decoded = append(decoded, segment)
	}
	return decoded
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
