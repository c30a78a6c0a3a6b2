package charts_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// SCENARIOS 90, for repositories and registries.
func TestVersionsAreChosenAsHelmChooses(t *testing.T) {
	offered := []string{"1.0.0", "1.2.0", "1.2.3", "1.10.0", "2.0.0", "2.1.0-rc.1", "1.2.4+build.7", "1.2.4+build.9"}
	cases := map[string]struct {
		version string
		want    string
		kind    error
		says    []string
	}{
		"empty is the latest stable":           {"", "2.0.0", nil, nil},
		"a star is the latest stable":          {"*", "2.0.0", nil, nil},
		"a range takes its highest":            {">=1.0 <1.3", "1.2.4+build.9", nil, nil},
		"a caret":                              {"^1.2.0", "1.10.0", nil, nil},
		"a tilde":                              {"~1.2.0", "1.2.4+build.9", nil, nil},
		"part of a version":                    {"1.2", "1.2.4+build.9", nil, nil},
		"exact":                                {"1.2.3", "1.2.3", nil, nil},
		"exact with v":                         {"v1.2.3", "1.2.3", nil, nil},
		"exact with build metadata":            {"1.2.4+build.7", "1.2.4+build.7", nil, nil},
		"pre-releases only where one is named": {">=2.0.0-0", "2.1.0-rc.1", nil, nil},
		"an exact pre-release":                 {"2.1.0-rc.1", "2.1.0-rc.1", nil, nil},
		"no match":                             {"^3.1", "", charts.ErrNotFound, []string{"no version matches ^3.1", "2.0.0", "2.1.0-rc.1"}},
		"no match in the middle":               {"1.5.0", "", charts.ErrNotFound, []string{"1.10.0", "1.2.4+build.9"}},
		"invalid":                              {"one.two", "", charts.ErrInvalid, []string{`"one.two"`, "neither a version nor a constraint"}},
	}
	web := newServer(t)
	web.publish(t, "/charts", "app", offered...)
	registry := newRegistry(t)
	for _, version := range offered {
		registry.push(t, "team/app", version, archive(t, "app", version))
	}
	refs := map[string]struct {
		ref        bundle.ChartRef
		credential charts.Credential
	}{
		"repository": {bundle.ChartRef{Repo: web.URL + "/charts", Chart: "app"}, charts.Credential{}},
		"registry":   {bundle.ChartRef{Chart: registry.ref("team/app")}, charts.Credential{PlainHTTP: true}},
		"below oci":  {bundle.ChartRef{Repo: registry.ref("team"), Chart: "app"}, charts.Credential{PlainHTTP: true}},
	}
	f := charts.New(impatient())
	for kind, at := range refs {
		for name, tc := range cases {
			t.Run(kind+"/"+name, func(t *testing.T) {
				ref := at.ref
				ref.Version = tc.version
				lock, err := f.Resolve(t.Context(), ref, at.credential)
				if !errors.Is(err, tc.kind) {
					t.Fatalf("got error %v, want %v", err, tc.kind)
				}
				for _, text := range tc.says {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("error %q does not say %q", err, text)
					}
				}
				if tc.kind != nil {
					return
				}
				want := ref.Lock(tc.want, digestOf(archive(t, "app", tc.want)))
				if diff := cmp.Diff(want, lock); diff != "" {
					t.Errorf("lock (-want +got):\n%s", diff)
				}
				chart, err := f.Fetch(t.Context(), ref, at.credential)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(charts.Chart{Lock: want, Archive: archive(t, "app", tc.want)}, chart); diff != "" {
					t.Errorf("chart (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestOnlyPreReleasesSayHowToTakeOne(t *testing.T) {
	web := newServer(t)
	web.publish(t, "", "app", "1.0.0-beta.1", "1.0.0-beta.2")
	_, err := charts.New(impatient()).Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{})
	if !errors.Is(err, charts.ErrNotFound) || !strings.Contains(err.Error(), "1.0.0-beta.2") || !strings.Contains(err.Error(), ">=0.0.0-0") {
		t.Errorf("got %v", err)
	}
}

func TestArchivesLieWhereTheIndexSays(t *testing.T) {
	data := archive(t, "app", "1.0.0")
	elsewhere := newServer(t)
	elsewhere.file("/files/app.tgz", data)
	cases := map[string]struct{ repo, url, serve string }{
		"beside the index":            {"/charts", "app.tgz", "/charts/app.tgz"},
		"with a trailing slash":       {"/charts/", "app.tgz", "/charts/app.tgz"},
		"below the index":             {"/charts", "a/b/app.tgz", "/charts/a/b/app.tgz"},
		"above the index":             {"/charts/stable", "../app.tgz", "/charts/app.tgz"},
		"at the root":                 {"/charts", "/app.tgz", "/app.tgz"},
		"absolute":                    {"/charts", elsewhere.URL + "/files/app.tgz", ""},
		"with the repository's query": {"/charts?branch=x", "app.tgz", "/charts/app.tgz"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			web := newServer(t)
			path, _, _ := strings.Cut(strings.TrimSuffix(tc.repo, "/"), "?")
			web.file(path+"/index.yaml", index(chartEntry{"app", "1.0.0", tc.url, digestOf(data)}))
			if tc.serve != "" {
				web.file(tc.serve, data)
			}
			chart, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL + tc.repo, Chart: "app"}, charts.Credential{})
			if err != nil {
				t.Fatal(err)
			}
			if got := digestOf(chart.Archive); got != digestOf(data) {
				t.Errorf("got archive %s", got)
			}
		})
	}
}

// GitLab's repositories have an encoded slash in their path.
func TestWhatIsEncodedInARepositoryStaysSo(t *testing.T) {
	const path = "/api/v4/projects/group%2Fproject/packages/helm/stable"
	web, data := newTLSServer(t), archive(t, "app", "1.0.0")
	web.file("/index.yaml", index(chartEntry{"app", "1.0.0", "charts/app-1.0.0.tgz", digestOf(data)}))
	web.file("/app.tgz", data)
	files := map[string]http.HandlerFunc{path + "/index.yaml": web.pages["/index.yaml"], path + "/charts/app-1.0.0.tgz": web.pages["/app.tgz"]}
	web.rest = private(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[r.RequestURI]
		if !ok {
			t.Errorf("got a request for %s", r.RequestURI)
			file = http.NotFound
		}
		file(w, r)
	})
	for _, end := range []string{"", "/"} {
		_, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL + path + end, Chart: "app"}, login(web.ca()))
		if err != nil {
			t.Errorf("ending in %q: %v", end, err)
		}
	}
}

func TestAnIndexIsSharedAndAskedForByCondition(t *testing.T) {
	web, now := newServer(t), newClock()
	web.publish(t, "", "app", "1.0.0", "1.1.0")
	f := charts.New(charts.Options{Now: now.read})
	resolve := func(version string) v1alpha1.ChartLock {
		t.Helper()
		lock, err := f.Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app", Version: version}, charts.Credential{})
		if err != nil {
			t.Fatal(err)
		}
		return lock
	}
	resolve("1.0.0")
	resolve("^1")
	if got := len(web.asked()); got != 1 {
		t.Errorf("two references to a fresh index made %d requests, want 1", got)
	}
	var status int
	web.page("/index.yaml", recordStatus(&status, web.pages["/index.yaml"]))
	now.move(time.Minute)
	if got := resolve("^1").Resolved; got != "1.1.0" || status != http.StatusNotModified {
		t.Errorf("got version %s and status %d from an index that did not change, want 1.1.0 and 304", got, status)
	}
	web.publish(t, "", "app", "1.0.0", "1.1.0", "1.2.0")
	now.move(time.Minute)
	if got := resolve("^1").Resolved; got != "1.2.0" {
		t.Errorf("got version %s after 1.2.0 was published", got)
	}
}

func TestAFailureIsSharedAndForgotten(t *testing.T) {
	web, now := newServer(t), newClock()
	options := impatient()
	options.Now = now.read
	f := charts.New(options)
	resolve := func() error {
		_, err := f.Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{})
		return err
	}
	for range 2 {
		if err := resolve(); !errors.Is(err, charts.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	if got := len(web.asked()); got != 1 {
		t.Errorf("two references to a missing index made %d requests, want 1", got)
	}
	web.publish(t, "", "app", "1.0.0")
	now.move(time.Minute)
	if err := resolve(); err != nil {
		t.Errorf("after the index was published: %v", err)
	}
	web.page("/index.yaml", http.NotFound)
	now.move(time.Minute)
	if err := resolve(); !errors.Is(err, charts.ErrNotFound) {
		t.Errorf("after the index was withdrawn: got %v, want that the old one is not used", err)
	}
}

func TestManyReferencesAtOnceShareAnIndex(t *testing.T) {
	web := newServer(t)
	web.publish(t, "", "app", "1.0.0", "2.0.0")
	f := charts.New(charts.Options{CacheDir: t.TempDir()})
	group, ctx := errgroup.WithContext(t.Context())
	for i := range 40 {
		group.Go(func() error {
			_, err := f.Fetch(ctx, bundle.ChartRef{Repo: web.URL, Chart: "app", Version: []string{"1.0.0", "^2", ""}[i%3]}, charts.Credential{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	indexes := slices.DeleteFunc(web.asked(), func(r string) bool { return r != "GET /index.yaml" })
	if len(indexes) != 1 {
		t.Errorf("the index was asked for %d times, want once", len(indexes))
	}
}

// recordStatus notes what a page answers.
func recordStatus(status *int, page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		page(recorder, r)
		*status = recorder.Code
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	}
}

func TestAnArchiveURLIsMeasuredOnce(t *testing.T) {
	web := newServer(t)
	data := archive(t, "app", "1.0.0")
	web.file("/app.tgz", data)
	f := charts.New(charts.Options{CacheDir: t.TempDir()})
	ref := bundle.ChartRef{Chart: web.URL + "/app.tgz"}
	lock, err := f.Resolve(t.Context(), ref, charts.Credential{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ref.Lock("", digestOf(data)), lock); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
	var status int
	web.page("/app.tgz", recordStatus(&status, web.pages["/app.tgz"]))
	chart, err := f.Fetch(t.Context(), ref, charts.Credential{})
	if err != nil || digestOf(chart.Archive) != digestOf(data) {
		t.Fatalf("got %s, %v", digestOf(chart.Archive), err)
	}
	if status != http.StatusNotModified {
		t.Errorf("got status %d for an archive that did not change, want 304", status)
	}
}

func TestAnIndexMayNameARegistry(t *testing.T) {
	web, registry := newServer(t), newTLSRegistry(t)
	data := archive(t, "app", "1.0.0")
	registry.push(t, "team/app", "1.0.0", data)
	for name, digest := range map[string]string{"with digest": digestOf(data), "without": ""} {
		t.Run(name, func(t *testing.T) {
			web.file("/index.yaml", index(chartEntry{"app", "1.0.0", registry.ref("team/app") + ":1.0.0", digest}))
			chart, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{CABundle: registry.ca(), Username: "u", Password: "secret"})
			if err != nil {
				t.Fatal(err)
			}
			if chart.Lock.Digest != digestOf(data) || chart.Lock.Resolved != "1.0.0" {
				t.Errorf("got lock %v", chart.Lock)
			}
			if registry.heard("") {
				t.Error("the repository's credentials reached the registry")
			}
		})
	}
}

func TestARegistryThatAnIndexNamesGetsNoLogin(t *testing.T) {
	web, registry := newServer(t), newTLSRegistry(t)
	data := archive(t, "app", "1.0.0")
	registry.push(t, "team/app", "1.0.0", data)
	registry.basic = true
	for name, digest := range map[string]string{"with digest": digestOf(data), "without": ""} {
		t.Run(name, func(t *testing.T) {
			web.file("/index.yaml", index(chartEntry{"app", "1.0.0", registry.ref("team/app") + ":1.0.0", digest}))
			_, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, login(registry.ca()))
			if !errors.Is(err, charts.ErrUnauthorized) || registry.heard("") {
				t.Errorf("got %v; login sent: %t", err, registry.heard(""))
			}
		})
	}
}

func TestWhatIsMissingOrWrongIsSaid(t *testing.T) {
	web := newServer(t)
	web.publish(t, "/ok", "application", "1.0.0")
	web.file("/html/index.yaml", []byte("<html><body>Sign in</body></html>\n"))
	web.file("/nourl/index.yaml", index(chartEntry{"app", "1.0.0", "", digestOf(nil)}))
	web.file("/ftp/index.yaml", index(chartEntry{"app", "1.0.0", "ftp://example.com/app.tgz", ""}))
	web.file("/page/index.yaml", index(chartEntry{"app", "1.0.0", "app.html", ""}))
	web.file("/page/app.html", []byte("<html>not an archive</html>"))
	web.page("/down/index.yaml", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	web.page("/login/index.yaml", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	cases := map[string]struct {
		ref        bundle.ChartRef
		credential charts.Credential
		kind       error
		says       string
	}{
		"no such chart":      {bundle.ChartRef{Repo: web.URL + "/ok", Chart: "app"}, charts.Credential{}, charts.ErrNotFound, "it has application"},
		"no such repository": {bundle.ChartRef{Repo: web.URL + "/none", Chart: "app"}, charts.Credential{}, charts.ErrNotFound, "fetch index " + web.URL + "/none/index.yaml: answered 404"},
		"no index":           {bundle.ChartRef{Repo: web.URL + "/html", Chart: "app"}, charts.Credential{}, charts.ErrProtocol, "no index of charts"},
		"no URL":             {bundle.ChartRef{Repo: web.URL + "/nourl", Chart: "app"}, charts.Credential{}, charts.ErrProtocol, "no usable URL"},
		"a foreign scheme":   {bundle.ChartRef{Repo: web.URL + "/ftp", Chart: "app"}, charts.Credential{}, charts.ErrProtocol, "no usable URL"},
		"a page":             {bundle.ChartRef{Repo: web.URL + "/page", Chart: "app"}, charts.Credential{}, charts.ErrProtocol, "no .tgz archive"},
		"a server down":      {bundle.ChartRef{Repo: web.URL + "/down", Chart: "app"}, charts.Credential{}, charts.ErrUnreachable, "answered 503"},
		"credentials wanted": {bundle.ChartRef{Repo: web.URL + "/login", Chart: "app"}, charts.Credential{}, charts.ErrUnauthorized, "helmSecretName"},
		"credentials wrong":  {bundle.ChartRef{Repo: web.URL + "/login", Chart: "app"}, charts.Credential{Username: "u", Password: "p"}, charts.ErrUnauthorized, "check username and password"},
		"user information":   {bundle.ChartRef{Repo: "https://u:hunter2@example.com", Chart: "app"}, charts.Credential{}, charts.ErrInvalid, "holds user information"},
		"file":               {bundle.ChartRef{Repo: "file:///etc", Chart: "app"}, charts.Credential{}, charts.ErrInvalid, `scheme "file"`},
		"no host":            {bundle.ChartRef{Repo: "https://", Chart: "app"}, charts.Credential{}, charts.ErrInvalid, "names no host"},
		"a bad CA":           {bundle.ChartRef{Repo: web.URL + "/ok", Chart: "application"}, charts.Credential{CABundle: []byte("x")}, charts.ErrInvalid, "cacerts"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := charts.New(impatient()).Fetch(t.Context(), tc.ref, tc.credential)
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %v and %q", err, tc.kind, tc.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q shows a password", err)
			}
		})
	}
}

func TestABusyServerIsAskedAgain(t *testing.T) {
	web := newServer(t)
	web.publish(t, "", "app", "1.0.0")
	page, busy := web.pages["/index.yaml"], 2
	web.page("/index.yaml", func(w http.ResponseWriter, r *http.Request) {
		if busy--; busy >= 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		page(w, r)
	})
	if _, err := charts.New(impatient()).Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{}); err != nil {
		t.Errorf("got %v after two refusals that pass", err)
	}
	web.page("/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	web.asked()
	_, err := charts.New(impatient()).Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{})
	if asked := len(web.asked()); !errors.Is(err, charts.ErrUnreachable) || asked != 1 {
		t.Errorf("got %v after %d requests, want one when the server asks for an hour", err, asked)
	}
}
