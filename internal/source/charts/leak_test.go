package charts_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/bundle"
)

// login is what must not reach anybody but the repository itself.
func login(ca []byte) charts.Credential {
	return charts.Credential{Username: registryUser, Password: registryPassword, CABundle: ca}
}

// private makes a page ask for the login.
func private(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != registryUser || password != registryPassword {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		page(w, r)
	}
}

func TestCredentialsAreBoundToTheRepository(t *testing.T) {
	web := newTLSServer(t)
	web.publish(t, "/charts/team", "app", "1.0.0")
	for _, path := range []string{"/charts/team/index.yaml", "/charts/team/app-1.0.0.tgz"} {
		web.page(path, private(web.pages[path]))
	}
	f := charts.New(impatient())
	ref := bundle.ChartRef{Repo: web.URL + "/charts/team", Chart: "app"}
	if _, err := f.Fetch(t.Context(), ref, login(web.ca())); err != nil {
		t.Fatalf("with the right login: %v", err)
	}
	if _, err := f.Resolve(t.Context(), ref, charts.Credential{CABundle: web.ca()}); !errors.Is(err, charts.ErrUnauthorized) {
		t.Errorf("without login, after somebody else's: got %v, want unauthorized", err)
	}
	wrong := login(web.ca())
	wrong.Password = "guess"
	if _, err := f.Resolve(t.Context(), ref, wrong); !errors.Is(err, charts.ErrUnauthorized) || strings.Contains(err.Error(), "guess") {
		t.Errorf("with a wrong password: got %v", err)
	}
}

// Each way to lead a client with credentials elsewhere; the canary is elsewhere.
func TestCredentialsDoNotFollowArchives(t *testing.T) {
	data := archive(t, "app", "1.0.0")
	cases := map[string]struct {
		// url is what the index names; redirect is where the repository sends whoever asks for app.tgz.
		url, redirect string
		// own is the path of the repository's own server that is asked and must not hear the login; without one the
		// canary is asked.
		own  string
		kind error
	}{
		"absolute, another port":         {url: "CANARY/app.tgz"},
		"absolute, another host":         {url: "https://files.example.com/app.tgz"},
		"absolute, another scheme":       {url: "http://charts.example.com/app.tgz"},
		"absolute, same host's name":     {url: "https://charts.example.com:8443/charts/app.tgz"},
		"relative, out of the prefix":    {url: "../charts-evil/app.tgz", own: "/charts-evil/app.tgz"},
		"relative, encoded dots":         {url: "%2e%2e/charts-evil/app.tgz", own: "/charts/../charts-evil/app.tgz"},
		"protocol relative":              {url: "//files.example.com/app.tgz"},
		"user information in the URL":    {url: "https://u:p@files.example.com/app.tgz", kind: charts.ErrProtocol},
		"redirect to another port":       {url: "app.tgz", redirect: "CANARY/app.tgz"},
		"redirect to another host":       {url: "app.tgz", redirect: "https://files.example.com/app.tgz"},
		"redirect out of the prefix":     {url: "app.tgz", redirect: "/charts-evil/app.tgz", own: "/charts-evil/app.tgz"},
		"redirect from https to http":    {url: "app.tgz", redirect: "http://charts.example.com/app.tgz", kind: charts.ErrUntrusted},
		"redirect with user information": {url: "app.tgz", redirect: "https://u:p@files.example.com/app.tgz"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			web, canary, plain := newTLSServer(t), newTLSServer(t), newServer(t)
			options := impatient()
			canaryAt := "127.0.0.1:" + canary.port()
			options.Dial = named(map[string]*server{
				"charts.example.com:443": web, "files.example.com:443": canary, "charts.example.com:8443": canary,
				"charts.example.com:80": plain, canaryAt: canary,
			})
			place := func(text string) string { return strings.ReplaceAll(text, "CANARY", "https://"+canaryAt) }
			web.file("/charts/index.yaml", index(chartEntry{"app", "1.0.0", place(tc.url), digestOf(data)}))
			web.file("/charts-evil/app.tgz", data)
			web.file("/charts/../charts-evil/app.tgz", data)
			if tc.redirect != "" {
				web.redirect("/charts/app.tgz", place(tc.redirect))
			}
			for _, s := range []*server{canary, plain} {
				s.file("/app.tgz", data)
				s.file("/charts/app.tgz", data)
			}
			_, err := charts.New(options).Fetch(t.Context(), bundle.ChartRef{Repo: "https://charts.example.com/charts", Chart: "app"}, login(web.ca()))
			if !errors.Is(err, tc.kind) {
				t.Fatalf("got error %v, want %v", err, tc.kind)
			}
			if canary.heard("") || plain.heard("") || tc.own != "" && web.heard(tc.own) {
				t.Error("the login, or one that the server made up, left the repository")
			}
			if !web.heard("/charts/index.yaml") {
				t.Error("the repository itself was not given the login")
			}
			asked := len(canary.asked())+len(plain.asked()) > 0
			if tc.own != "" {
				asked = slices.Contains(web.asked(), "GET "+tc.own)
			}
			if tc.kind == nil && !asked {
				t.Error("nobody elsewhere was asked, so this proves nothing")
			}
		})
	}
}

func TestAnIndexMayMoveWithoutItsLogin(t *testing.T) {
	cases := map[string]struct {
		repo, to string
		kind     error
	}{
		"another host":              {"https://charts.example.com", "https://files.example.com/index.yaml", nil},
		"another port":              {"https://charts.example.com", "https://charts.example.com:8443/index.yaml", nil},
		"another path of its own":   {"https://charts.example.com", "/moved/index.yaml", nil},
		"http to https on its host": {"http://charts.example.com", "https://charts.example.com/moved/index.yaml", nil},
		"https to http on its host": {"https://charts.example.com", "http://charts.example.com/index.yaml", charts.ErrUntrusted},
		"a file":                    {"https://charts.example.com", "file:///etc/passwd", charts.ErrUntrusted},
		"round and round":           {"https://charts.example.com", "/index.yaml", charts.ErrUntrusted},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			web, canary, plain := newTLSServer(t), newTLSServer(t), newServer(t)
			options := impatient()
			options.Dial = named(map[string]*server{
				"charts.example.com:443": web, "files.example.com:443": canary, "charts.example.com:8443": canary, "charts.example.com:80": plain,
			})
			canary.publish(t, "", "app", "1.0.0")
			web.publish(t, "/moved", "app", "1.0.0")
			web.redirect("/index.yaml", tc.to)
			plain.redirect("/index.yaml", tc.to)
			_, err := charts.New(options).Resolve(t.Context(), bundle.ChartRef{Repo: tc.repo, Chart: "app"}, login(web.ca()))
			if !errors.Is(err, tc.kind) {
				t.Errorf("got %v, want %v", err, tc.kind)
			}
			if canary.heard("") || strings.HasPrefix(tc.repo, "http:") && web.heard("") {
				t.Error("the login followed the redirect")
			}
			if tc.kind != nil && len(canary.asked()) > 0 {
				t.Error("the other server was asked")
			}
		})
	}
}

func TestSkippingVerificationIsBoundToTheRepository(t *testing.T) {
	web, other := newTLSServer(t), newTLSServer(t)
	data := archive(t, "app", "1.0.0")
	other.file("/app.tgz", data)
	web.file("/index.yaml", index(chartEntry{"app", "1.0.0", other.URL + "/app.tgz", digestOf(data)}))
	ref := bundle.ChartRef{Repo: web.URL, Chart: "app"}
	insecure := charts.Credential{InsecureSkipTLSVerify: true}
	f := charts.New(impatient())
	if _, err := f.Resolve(t.Context(), ref, charts.Credential{}); !errors.Is(err, charts.ErrUntrusted) || !strings.Contains(err.Error(), "cacerts") {
		t.Errorf("without a CA: got %v, want not trusted and what to set", err)
	}
	if _, err := f.Resolve(t.Context(), ref, insecure); err != nil {
		t.Errorf("with insecureSkipVerify: %v", err)
	}
	if _, err := f.Fetch(t.Context(), ref, insecure); !errors.Is(err, charts.ErrUntrusted) {
		t.Errorf("archive on another server: got %v, want not trusted", err)
	}
	if _, err := f.Fetch(t.Context(), ref, charts.Credential{CABundle: web.ca()}); err != nil {
		t.Errorf("with the CA of both: %v", err)
	}
}

func TestAPrefixIsReadBySegments(t *testing.T) {
	cases := map[string]struct {
		to   string
		want bool
	}{
		"itself":                  {"https://example.com/charts", true},
		"below":                   {"https://example.com/charts/a/b.tgz", true},
		"default port":            {"https://EXAMPLE.com:443/charts/a", true},
		"double slash":            {"https://example.com//charts/a", true},
		"a longer name":           {"https://example.com/charts-evil/a", false},
		"above":                   {"https://example.com/", false},
		"another port":            {"https://example.com:8443/charts/a", false},
		"another scheme":          {"http://example.com/charts/a", false},
		"http on port 443":        {"http://example.com:443/charts/a", false},
		"a subdomain":             {"https://a.example.com/charts/a", false},
		"a longer host":           {"https://example.com.evil.org/charts/a", false},
		"user information":        {"https://example.com@evil.org/charts/a", false},
		"dots":                    {"https://example.com/charts/../evil", false},
		"encoded dots":            {"https://example.com/charts/%2e%2e/evil", false},
		"encoded slash":           {"https://example.com/charts/..%2fevil", false},
		"encoded backslash":       {"https://example.com/charts/..%5cevil", false},
		"parameters":              {"https://example.com/charts/..;/evil", false},
		"slash as part of a name": {"https://example.com/charts%2fevil/a", false},
		"a name with a slash":     {"https://example.com/charts/group%2fproject/a", true},
		"another case":            {"https://example.com/Charts/a", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := charts.Covers("https://example.com/charts/", tc.to); got != tc.want {
				t.Errorf("credentials for https://example.com/charts/ cover %s: got %t, want %t", tc.to, got, tc.want)
			}
		})
	}
}

func TestAQueryDoesNotTravelAsReferer(t *testing.T) {
	web, other := newServer(t), newServer(t)
	web.redirect("/app.tgz", other.URL+"/app.tgz")
	data := archive(t, "app", "1.0.0")
	other.page("/app.tgz", func(w http.ResponseWriter, r *http.Request) {
		if referer := r.Header.Get("Referer"); referer != "" {
			t.Errorf("got Referer %s", referer)
		}
		_, _ = w.Write(data)
	})
	if _, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Chart: web.URL + "/app.tgz?token=canary"}, charts.Credential{}); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheRegistryNamesItsTokenService(t *testing.T) {
	r, canary := newTLSRegistry(t), newTLSServer(t)
	data := archive(t, "app", "1.0.0")
	r.push(t, "app", "1.0.0", data)
	r.moved = canary.URL + "/store/"
	canary.page("/store/"+digestOf(data), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Www-Authenticate", `Bearer realm="`+canary.URL+`/token"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	_, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Chart: r.ref("app")}, charts.Credential{CABundle: r.ca()})
	if !errors.Is(err, charts.ErrUnauthorized) || slices.Contains(canary.asked(), "GET /token") {
		t.Errorf("got %v, or the store's token service was asked", err)
	}
}
