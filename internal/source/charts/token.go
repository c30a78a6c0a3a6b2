package charts

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// authorizer sends a registry's requests. It authenticates when it is asked to, with what the session's credential is
// worth at that registry: a token for pulling the one repository where there is a token service, the password itself
// only where the registry wants that.
type authorizer struct {
	session       *session
	name          ociName
	authorization string
}

// Do implements remote.Client. Only blobs, which go another way, may be redirected to other servers.
func (a *authorizer) Do(req *http.Request) (*http.Response, error) { return a.send(req, within) }

func (a *authorizer) send(req *http.Request, r redirects) (*http.Response, error) {
	res, err := a.session.do(a.session.client(a.session.bound, a.authorization, r), req)
	if err != nil || res.StatusCode != http.StatusUnauthorized || a.authorization != "" || origin(res.Request.URL) != a.session.bound.origin {
		return res, err
	}
	res.Body.Close()
	if a.authorization, err = a.authenticate(req.Context(), res); err != nil {
		return nil, err
	}
	return a.session.do(a.session.client(a.session.bound, a.authorization, r), req)
}

// authenticate answers a challenge with the value of an Authorization header.
func (a *authorizer) authenticate(ctx context.Context, res *http.Response) (string, error) {
	basic := false
	for _, header := range res.Header.Values("Www-Authenticate") {
		scheme, parameters := parseChallenge(header)
		switch scheme {
		case "bearer":
			return a.token(ctx, parameters)
		case "basic":
			basic = true
		}
	}
	if basic && a.session.credential.login() {
		return a.session.credential.basic(), nil
	}
	return "", a.unauthorized("authenticate at", http.StatusUnauthorized)
}

func (a *authorizer) unauthorized(op string, status int) error {
	return &Error{Op: op, URL: a.name.shown(), Kind: ErrUnauthorized, Detail: fmt.Sprintf("answered %d", status), Hint: a.session.loginHint(a.name.url(a.session.credential.PlainHTTP))}
}

// maxToken bounds a token service's answer; a token has to fit into a header.
const maxToken = 128 << 10

// token asks the token service that the registry names, for the right to pull and nothing else.
func (a *authorizer) token(ctx context.Context, parameters map[string]string) (string, error) {
	realm, login, err := a.realm(parameters["realm"])
	if err != nil {
		return "", err
	}
	values := realm.Query()
	if service := parameters["service"]; service != "" {
		values.Set("service", service)
	}
	values.Set("scope", "repository:"+a.name.Repository+":pull")
	realm.RawQuery = values.Encode()
	q := query{op: "fetch token", url: realm, limit: maxToken}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, realm.String(), nil)
	if err != nil {
		return "", a.session.fail(ctx, q, err)
	}
	res, err := a.session.do(a.session.client(bind(realm), login, within), req)
	if err != nil {
		return "", a.session.fail(ctx, q, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		return "", a.unauthorized("fetch token for", res.StatusCode)
	}
	if res.StatusCode != http.StatusOK {
		return "", a.session.refused(q, res)
	}
	text, err := readBody(res, q)
	if err != nil {
		return "", a.session.fail(ctx, q, err)
	}
	return readToken(q, text)
}

func readToken(q query, text []byte) (string, error) {
	var body struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	err := json.Unmarshal(text, &body)
	if body.Token == "" {
		body.Token = body.AccessToken
	}
	if err != nil || body.Token == "" || strings.ContainsFunc(body.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &Error{Op: q.op, URL: show(q.url), Kind: ErrProtocol, Detail: "the token service gave no token"}
	}
	return "Bearer " + body.Token, nil
}

// realm decides whether a token service may be asked, and whether with the credential.
func (a *authorizer) realm(text string) (u *url.URL, login string, err error) {
	registry := a.name.url(a.session.credential.PlainHTTP)
	refuse := func(detail, hint string) error {
		return &Error{Op: "authenticate at", URL: a.name.shown(), Kind: ErrUntrusted, Detail: detail, Hint: hint}
	}
	u, err = parseHTTP("use token service", text)
	if err != nil {
		return nil, "", refuse("the registry names no usable token service", "")
	}
	if u.Scheme == "http" && origin(u) != origin(registry) {
		return nil, "", refuse("the registry names a token service without TLS, "+origin(u), "")
	}
	if !a.session.credential.login() {
		return u, "", nil
	}
	if !sameParty(registry, u) {
		return nil, "", refuse("the registry wants the credentials sent to "+origin(u)+", which does not belong to it", "give no credentials if the chart is public; otherwise use a registry whose token service is under its own domain, on port 443")
	}
	return u, a.session.credential.basic(), nil
}

// sameParty is true if a token service is the registry's own: its origin, or on https and port 443 under the same
// registrable domain. Names below a suffix that is not on the public list, such as cluster.local, share nothing.
func sameParty(registry, realm *url.URL) bool {
	if origin(registry) == origin(realm) {
		return true
	}
	if registry.Scheme != "https" || realm.Scheme != "https" || port(realm) != "443" {
		return false
	}
	ours, theirs := registrable(registry.Hostname()), registrable(realm.Hostname())
	return ours != "" && ours == theirs
}

func registrable(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if net.ParseIP(host) != nil {
		return ""
	}
	if suffix, listed := publicsuffix.PublicSuffix(host); !listed && !strings.Contains(suffix, ".") {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return domain
}

// parseChallenge reads one WWW-Authenticate header: a scheme and its parameters.
func parseChallenge(header string) (scheme string, parameters map[string]string) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	parameters = map[string]string{}
	for rest != "" {
		key, after, ok := strings.Cut(strings.TrimLeft(rest, " ,\t"), "=")
		if !ok {
			break
		}
		var value string
		value, rest = parameterValue(after)
		parameters[strings.ToLower(strings.TrimSpace(key))] = value
	}
	return strings.ToLower(scheme), parameters
}

// parameterValue reads a token or a quoted string, and gives what comes after it.
func parameterValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, ",")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:]
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}
