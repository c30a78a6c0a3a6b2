package source

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// The kinds of failure a caller may want to tell apart with errors.Is. All of them mean "unknown": none is a reason
// to treat a repository as empty.
var (
	// ErrInvalidRemote means the URL, CA bundle or credentials cannot be used as they are written.
	ErrInvalidRemote = errors.New("invalid remote")
	// ErrRefNotFound means the repository answered and does not have the wanted branch, tag or commit.
	ErrRefNotFound = errors.New("ref not found")
	// ErrRepositoryNotFound means the server answered and does not have, or does not show, the repository.
	ErrRepositoryNotFound = errors.New("repository not found")
	// ErrUnauthorized means the server refused the credentials, or wants some and there are none.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrUntrusted means the server could not prove who it is, or sent us to another one.
	ErrUntrusted = errors.New("server not trusted")
	// ErrUnreachable means there was no complete answer in time.
	ErrUnreachable = errors.New("unreachable")
	// ErrProtocol means the answer was not usable Git.
	ErrProtocol = errors.New("not a usable Git answer")
	// ErrTooLarge means a bound on bytes, objects or entries was met.
	ErrTooLarge = errors.New("too large")
	// ErrCorrupt means the mirror on disk is damaged; the next Snapshot clones it anew.
	ErrCorrupt = errors.New("mirror damaged")
	// ErrSymlink means a path is, or leads through, a symbolic link.
	ErrSymlink = errors.New("is a symbolic link, which is never followed")
)

// Error says what was tried on which server's URL, why it failed and what to do next. It never holds credentials.
type Error struct {
	// Op is what was tried, such as "list refs of" or "fetch index".
	Op string
	// URL is shown without user information and query.
	URL string
	// Kind is one of the Err values of this package, or of internal/source/charts.
	Kind error
	// Detail is what happened, on one line.
	Detail string
	// Hint is what to do next; it may be empty.
	Hint string
	// Cause is a context error underneath, where it is safe to look at; it may be nil.
	Cause error
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %s", e.Op, e.URL, e.Detail)
	if e.Hint == "" {
		return text
	}
	return text + "; " + e.Hint
}

// Unwrap gives errors.Is the kind and, where it is safe to look at, a context error underneath.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// maxDetail bounds what a server's own words may add to a message.
const maxDetail = 300

// oneLine makes foreign text fit for a status: one line, printable, bounded, without the given secrets.
func oneLine(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "[redacted]")
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "..."
	}
	return text
}
