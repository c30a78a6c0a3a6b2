package source

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// maxURL bounds the length of a repository URL.
const maxURL = 2048

// defaultPorts are the ports that are left out of canonical URLs.
var defaultPorts = map[string]int{"http": 80, "https": 443, "ssh": 22}

// address is a checked Remote: where to connect and what to show there. Its endpoint holds no credentials.
type address struct {
	endpoint transport.Endpoint
	auth     Auth
	sshUser  string
	shown    string
}

// parseAddress checks a remote's URL and moves user information out of it, so that nothing below can print it.
func parseAddress(r Remote) (address, error) {
	shown := Redact(r.URL)
	invalid := func(detail, hint string) (address, error) {
		return address{}, &Error{Op: "use", URL: shown, Kind: ErrInvalidRemote, Detail: detail, Hint: hint}
	}
	if detail := badURLText(r.URL); detail != "" {
		return invalid(detail, "")
	}
	ep, err := transport.NewEndpoint(r.URL)
	if err != nil {
		return invalid("the URL cannot be parsed", "")
	}
	if _, ok := defaultPorts[ep.Protocol]; !ok {
		return invalid(fmt.Sprintf("transport %q is not allowed", ep.Protocol), "use http, https, ssh or user@host:path")
	}
	path := strings.Trim(ep.Path, "/")
	if ep.Host == "" || path == "" || strings.HasPrefix(path, ":") {
		return invalid("the URL names no host and repository", "")
	}
	if strings.HasPrefix(path, "-") || strings.HasPrefix(ep.Host, "-") || strings.HasPrefix(ep.User, "-") {
		return invalid("a part of the URL looks like an option", "")
	}
	if ep.Protocol != "ssh" && strings.ContainsAny(r.URL, "?#") {
		return invalid("the URL has a query or fragment", "name the repository only")
	}
	return newAddress(r, *ep, shown), nil
}

func newAddress(r Remote, ep transport.Endpoint, shown string) address {
	a := address{auth: r.Auth, sshUser: "git", shown: shown}
	switch {
	case ep.Protocol == "ssh" && ep.User != "":
		a.sshUser = ep.User
	case ep.Protocol == "ssh" && r.Auth.Username != "":
		a.sshUser = r.Auth.Username
	case ep.Protocol != "ssh" && r.Auth.Username == "" && r.Auth.Password == "":
		a.auth.Username, a.auth.Password = ep.User, ep.Password
	}
	ep.User, ep.Password = "", ""
	if ep.Protocol != "ssh" {
		// The endpoint's path is put into request URLs as it stands.
		ep.Path = (&url.URL{Path: ep.Path}).EscapedPath()
	}
	a.endpoint = ep
	return a
}

// badURLText finds what no URL may hold.
func badURLText(raw string) string {
	switch {
	case raw == "":
		return "the URL is empty"
	case len(raw) > maxURL:
		return fmt.Sprintf("the URL is longer than %d bytes", maxURL)
	case strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return "the URL has control characters"
	}
	return ""
}

// Redact gives a repository URL as it may be shown: without user information, except the plain user of ssh.
func Redact(raw string) string {
	scheme, rest, hasScheme := strings.Cut(raw, "://")
	if !hasScheme {
		// user@host:path has no place for a password; anything else without a scheme is refused later.
		before, after, found := strings.Cut(raw, "@")
		if found && strings.Contains(before, ":") {
			return oneLine(after, nil)
		}
		return oneLine(raw, nil)
	}
	authority, path, hasPath := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user := authority[:at]
		authority = authority[at+1:]
		if scheme == "ssh" && !strings.Contains(user, ":") {
			authority = user + "@" + authority
		}
	}
	if hasPath {
		authority += "/" + path
	}
	return oneLine(scheme+"://"+authority, nil)
}

// CanonicalURL is the form in which two URLs of one repository compare equal whatever the transport: host, a port that
// is not the transport's default, and path, without user, trailing slash and ".git". It is empty for what is no URL.
func CanonicalURL(raw string) string {
	a, err := parseAddress(Remote{URL: strings.TrimSpace(raw)})
	if err != nil {
		return ""
	}
	host := strings.ToLower(a.endpoint.Host)
	if p := a.endpoint.Port; p != 0 && p != defaultPorts[a.endpoint.Protocol] {
		host = fmt.Sprintf("%s:%d", host, p)
	}
	return host + "/" + canonicalPath(a.endpoint.Path)
}

// CanonicalPath is the path part of CanonicalURL: "org/repo". Hosts differ between a repository's internal, external
// and ssh names, its path rarely does.
func CanonicalPath(raw string) string {
	_, path, _ := strings.Cut(CanonicalURL(raw), "/")
	return path
}

func canonicalPath(path string) string {
	return strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}
