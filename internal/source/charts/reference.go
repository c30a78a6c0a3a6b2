package charts

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"oras.land/oras-go/v2/registry"

	"github.com/muster-dev/muster/pkg/bundle"
)

// maxURL bounds a URL, whether a user or an index wrote it.
const maxURL = 2048

// parseHTTP checks a URL of an HTTP repository or archive.
func parseHTTP(op, raw string) (*url.URL, error) {
	invalid := func(detail, hint string) error {
		return &Error{Op: op, URL: showText(raw), Kind: ErrInvalid, Detail: detail, Hint: hint}
	}
	if len(raw) > maxURL || strings.ContainsFunc(raw, unicode.IsControl) {
		return nil, invalid("the URL is too long or has control characters", "")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return nil, invalid("the URL cannot be parsed", "")
	}
	switch u.Scheme {
	case "http", "https":
	default:
		return nil, invalid(fmt.Sprintf("scheme %q is not allowed", u.Scheme), "use https, http or oci")
	}
	if u.Hostname() == "" {
		return nil, invalid("the URL names no host", "")
	}
	if u.User != nil {
		return nil, invalid("the URL holds user information", hintSecret)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// ociScheme starts references to registries.
const ociScheme = "oci://"

func isOCI(raw string) bool { return strings.HasPrefix(strings.ToLower(raw), ociScheme) }

// ociName is an OCI reference: registry and repository, and at most one of tag and digest.
type ociName struct {
	registry.Reference
	tag, digest string
}

// parseOCI checks an oci:// reference. oras drops a tag that stands before a digest, so they are told apart here.
func parseOCI(op, raw string) (ociName, error) {
	invalid := func(detail, hint string) error {
		return &Error{Op: op, URL: showText(raw), Kind: ErrInvalid, Detail: detail, Hint: hint}
	}
	if len(raw) > maxURL || strings.ContainsFunc(raw, unicode.IsControl) {
		return ociName{}, invalid("the reference is too long or has control characters", "")
	}
	rest := strings.Trim(raw[len(ociScheme):], "/")
	host, _, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "@") {
		return ociName{}, invalid("the reference holds user information", hintSecret)
	}
	ref, err := registry.ParseReference(rest)
	if err != nil {
		return ociName{}, invalid("this is no reference to a repository in a registry", "write oci://host/path/chart, in lower case, and the version in helm.version")
	}
	name := ociName{Reference: ref}
	switch {
	case strings.Contains(ref.Reference, ":"):
		name.digest = ref.Reference
	default:
		name.tag = ref.Reference
	}
	name.Reference.Reference = ""
	return name, nil
}

// url is where the registry's API serves the repository; credentials are bound to it.
func (n ociName) url(plain bool) *url.URL {
	scheme := "https"
	if plain {
		scheme = "http"
	}
	return &url.URL{Scheme: scheme, Host: n.Host(), Path: "/v2/" + n.Repository}
}

// shown is the reference as the user knows it.
func (n ociName) shown() string { return ociScheme + n.Registry + "/" + n.Repository }

// ociText is the oci:// reference a ref means, or empty: Chart alone, or Chart below an oci:// Repo, as dependencies
// in a Chart.yaml write it.
func ociText(ref bundle.ChartRef) string {
	switch {
	case isOCI(ref.Chart):
		return ref.Chart
	case isOCI(ref.Repo) && ref.Chart != "":
		return strings.TrimSuffix(ref.Repo, "/") + "/" + ref.Chart
	case isOCI(ref.Repo):
		return ref.Repo
	}
	return ""
}
