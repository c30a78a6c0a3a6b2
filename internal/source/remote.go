package source

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

// Remote names one repository and how to reach it.
type Remote struct {
	// URL is http, https, ssh, or the short form user@host:path.
	URL string
	// Auth is what to show the server; the zero value is anonymous.
	Auth Auth
	// CABundle holds PEM certificates that are trusted for https beside the system's.
	CABundle []byte
	// InsecureSkipTLSVerify accepts any certificate. It is the user's explicit wish, never a default.
	InsecureSkipTLSVerify bool
}

// String names the repository without credentials.
func (r Remote) String() string { return Redact(r.URL) }

// GoString keeps credentials out of %#v too.
func (r Remote) GoString() string { return "source.Remote(" + r.String() + ")" }

// Auth holds credentials for one repository. The zero value is anonymous.
type Auth struct {
	// Username and Password are HTTP basic credentials; a token goes into Password.
	Username, Password string
	// SSHPrivateKey is a PEM key without passphrase; SSHKnownHosts lists host keys in OpenSSH's format.
	SSHPrivateKey, SSHKnownHosts []byte
}

// String tells the kind of credentials only: a user name may itself be a token.
func (a Auth) String() string {
	switch {
	case len(a.SSHPrivateKey) > 0:
		return "ssh key"
	case a.Username != "" || a.Password != "":
		return "user and password"
	default:
		return "anonymous"
	}
}

// GoString keeps credentials out of %#v.
func (a Auth) GoString() string { return "source.Auth(" + a.String() + ")" }

// MarshalJSON keeps credentials out of structured logs.
func (a Auth) MarshalJSON() ([]byte, error) { return []byte(`"` + a.String() + `"`), nil }

// secrets lists the texts that may appear in no message, longest forms first.
func (a Auth) secrets() []string {
	var out []string
	if a.Password != "" {
		out = append(out,
			base64.StdEncoding.EncodeToString([]byte(a.Username+":"+a.Password)),
			a.Password, url.QueryEscape(a.Password), url.PathEscape(a.Password))
	}
	// A user name without password, or beside GitHub's placeholder, is how tokens are often written.
	if a.Username != "" && (a.Password == "" || a.Password == "x-oauth-basic") {
		out = append(out, a.Username)
	}
	return out
}

// Ref says which commit is wanted. Both empty means the remote's HEAD; Revision wins over Branch.
type Ref struct {
	// Branch is a branch name, without refs/heads/.
	Branch string
	// Revision is a full commit id, a tag (lightweight or annotated), or a full ref name such as refs/tags/v1.
	Revision string
}

// String names the ref as a user would.
func (r Ref) String() string {
	switch {
	case isCommitID(r.Revision):
		return "commit " + r.Revision
	case strings.HasPrefix(r.Revision, "refs/"):
		return "ref " + r.Revision
	case r.Revision != "":
		return "tag " + r.Revision
	case r.Branch != "":
		return "branch " + r.Branch
	default:
		return "HEAD"
	}
}

// Keys of the Secrets Fleet reads: types kubernetes.io/basic-auth and kubernetes.io/ssh-auth.
const (
	keyUsername   = "username"
	keyPassword   = "password"
	keyPrivateKey = "ssh-privatekey"
	keyKnownHosts = "known_hosts"
)

// AuthFromSecret reads the data of a Secret with the keys Fleet uses: username and password, or ssh-privatekey and
// known_hosts. A Secret with neither is an error that names the keys.
func AuthFromSecret(data map[string][]byte) (Auth, error) {
	if key := data[keyPrivateKey]; len(key) > 0 {
		return Auth{SSHPrivateKey: key, SSHKnownHosts: data[keyKnownHosts]}, nil
	}
	auth := Auth{
		// A trailing newline is what `echo token | base64` leaves; no server takes it.
		Username: strings.TrimRight(string(data[keyUsername]), "\r\n"),
		Password: strings.TrimRight(string(data[keyPassword]), "\r\n"),
	}
	if auth.Username == "" && auth.Password == "" {
		return Auth{}, fmt.Errorf("%w: the Secret has neither %s and %s nor %s", ErrInvalidRemote, keyUsername, keyPassword, keyPrivateKey)
	}
	return auth, nil
}
