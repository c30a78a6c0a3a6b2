package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Push is what a delivery says happened, as far as it decides whether to poll.
type Push struct {
	// Ignore, if not empty, says why a genuine delivery is none of a push: a ping, another event.
	Ignore string
	// Ref is the full name of the ref that moved; empty means any may have.
	Ref string
	// DefaultBranch is what the remote's HEAD names, if the delivery tells.
	DefaultBranch string
	// Repositories are the URLs of the repository, in all forms the delivery names; none means it does not tell.
	Repositories []string
}

// Provider reads the deliveries of one kind of Git server.
type Provider interface {
	// Name is the provider's name for answers and logs.
	Name() string
	// Matches tells from the headers whether a delivery is this provider's.
	Matches(header http.Header) bool
	// Verify checks the delivery's proof over the raw body in constant time; nil means genuine.
	Verify(header http.Header, body, secret []byte) error
	// Delivery is the id that a repeated delivery has again, or empty.
	Delivery(header http.Header) string
	// Parse reads a body that Verify found genuine.
	Parse(header http.Header, body []byte) (Push, error)
}

// errSignature is all that a caller without the secret is told.
var errSignature = errors.New("signature missing or wrong")

// verifyHMAC checks "sha256=<hex of HMAC-SHA256(secret, body)>".
func verifyHMAC(signature string, body, secret []byte) error {
	digest, ok := strings.CutPrefix(signature, "sha256=")
	given, err := hex.DecodeString(digest)
	if !ok || err != nil || len(secret) == 0 {
		return errSignature
	}
	mac := hmac.New(sha256.New, secret)
	// A hash never fails to take bytes.
	_, _ = mac.Write(body)
	if !hmac.Equal(mac.Sum(nil), given) {
		return errSignature
	}
	return nil
}

const signatureHeader = "X-Hub-Signature-256"

// gitHub reads deliveries in GitHub's form, which Gitea, Forgejo and Gogs send as well.
type gitHub struct{}

// Name implements Provider.
func (gitHub) Name() string { return "github" }

// Matches implements Provider.
func (gitHub) Matches(header http.Header) bool { return header.Get("X-GitHub-Event") != "" }

// Verify implements Provider.
func (gitHub) Verify(header http.Header, body, secret []byte) error {
	return verifyHMAC(header.Get(signatureHeader), body, secret)
}

// Delivery implements Provider.
func (gitHub) Delivery(header http.Header) string { return header.Get("X-GitHub-Delivery") }

// Parse implements Provider.
func (gitHub) Parse(header http.Header, body []byte) (Push, error) {
	switch event := header.Get("X-GitHub-Event"); event {
	case "ping":
		return Push{Ignore: "ping"}, nil
	case "push", "create":
	default:
		return Push{Ignore: fmt.Sprintf("event %s is not a push", printable(event))}, nil
	}
	if strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return Push{}, errors.New("the form cannot be parsed")
		}
		body = []byte(form.Get("payload"))
	}
	push, err := parsePush(body)
	if err == nil && push.Ref == "" {
		err = errors.New("the push names no ref")
	}
	return push, err
}

// generic reads deliveries that say nothing about their sender: the same signature over a JSON object, all of whose
// keys are optional. A post-receive hook of three lines can send it.
type generic struct{}

// Name implements Provider.
func (generic) Name() string { return "generic" }

// Matches implements Provider.
func (generic) Matches(http.Header) bool { return true }

// Verify implements Provider.
func (generic) Verify(header http.Header, body, secret []byte) error {
	return verifyHMAC(header.Get(signatureHeader), body, secret)
}

// Delivery implements Provider.
func (generic) Delivery(header http.Header) string { return header.Get("X-Delivery") }

// Parse implements Provider.
func (generic) Parse(_ http.Header, body []byte) (Push, error) {
	if len(strings.TrimSpace(string(body))) == 0 {
		return Push{}, nil
	}
	return parsePush(body)
}

// payload is the part of GitHub's push event that is read; the rest is skipped.
type payload struct {
	Ref        string `json:"ref"`
	RefType    string `json:"ref_type"`
	Repository struct {
		CloneURL      string `json:"clone_url"`
		SSHURL        string `json:"ssh_url"`
		GitURL        string `json:"git_url"`
		HTMLURL       string `json:"html_url"`
		URL           string `json:"url"`
		DefaultBranch string `json:"default_branch"`
	} `json:"repository"`
}

// maxRef bounds the names that are taken out of a delivery.
const maxRef = 1024

func parsePush(body []byte) (Push, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return Push{}, errors.New("the body is not the JSON of a push")
	}
	if len(p.Ref) > maxRef {
		return Push{}, errors.New("the ref's name is too long")
	}
	push := Push{Ref: fullRef(p.Ref, p.RefType), DefaultBranch: p.Repository.DefaultBranch}
	r := p.Repository
	for _, u := range []string{r.CloneURL, r.SSHURL, r.HTMLURL, r.URL, r.GitURL} {
		if u != "" {
			push.Repositories = append(push.Repositories, u)
		}
	}
	return push, nil
}

// fullRef completes short names, as the create event and hand-written hooks have them.
func fullRef(ref, kind string) string {
	switch {
	case ref == "", strings.HasPrefix(ref, "refs/"):
		return ref
	case kind == "tag":
		return "refs/tags/" + ref
	default:
		return "refs/heads/" + ref
	}
}

// printable makes foreign text fit for an answer.
func printable(text string) string {
	const most = 100
	if len(text) > most {
		text = text[:most]
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text), "")
}
