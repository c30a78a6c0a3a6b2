package charts

import (
	"errors"
	"net/url"
	"strings"

	"github.com/muster-dev/muster/internal/source"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// The kinds of failure a caller may want to tell apart with errors.Is.
var (
	// ErrInvalid means the reference, the constraint or the credential cannot be used as it is written.
	ErrInvalid = errors.New("invalid chart reference")
	// ErrNotFound means the server answered and has no such chart, or no version that fits.
	ErrNotFound = errors.New("chart not found")
	// ErrTampered means an archive is not the one its digest promises. It is refused, and nothing is taken in its place.
	ErrTampered = errors.New("archive differs from its digest")
	// ErrProtocol means the answer is no index, manifest or archive.
	ErrProtocol = errors.New("not a usable answer")
	// ErrUnauthorized means the server refused the credentials, or wants some and there are none.
	ErrUnauthorized = source.ErrUnauthorized
	// ErrUntrusted means the server could not prove who it is, or sent us where we do not follow.
	ErrUntrusted = source.ErrUntrusted
	// ErrUnreachable means there was no complete answer in time. Only this kind may go away by itself.
	ErrUnreachable = source.ErrUnreachable
	// ErrTooLarge means a bound on bytes, versions or tags was met.
	ErrTooLarge = source.ErrTooLarge
)

// Error says what was tried on which URL, why it failed and what to do next. It never holds credentials.
type Error = source.Error

// maxShown bounds a URL in a message.
const maxShown = 300

// show gives a URL as it may be seen: without user information, query and fragment, which may hold secrets.
func show(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	text := manifest.Clean(shown.String())
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return text
}

// showText is show for what may be no URL at all.
func showText(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" && u.User != nil {
		before, _, _ := strings.Cut(raw, "?")
		if at := strings.LastIndexByte(before, '@'); at >= 0 && !strings.HasPrefix(before[at:], "@sha256:") {
			before = before[at+1:]
		}
		return manifest.Clean(before)
	}
	if u.Host == "" && u.Scheme == "" {
		return manifest.Clean(u.Path)
	}
	return show(u)
}
