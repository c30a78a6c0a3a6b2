package charts_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/bundle"
)

var plainHTTP = charts.Credential{PlainHTTP: true}

func TestReferencesToRegistries(t *testing.T) {
	r := newRegistry(t)
	data := archive(t, "app", "1.2.3+b1")
	pin := r.push(t, "team/app", "1.2.3+b1", data)
	r.push(t, "team/app", "v9.0.0", archive(t, "app", "9.0.0"))
	r.push(t, "team/app", "latest", archive(t, "app", "0.0.1"))
	cases := map[string]struct {
		suffix, version string
		want            string
		kind            error
	}{
		"latest, where v and words do not count": {"", "", "1.2.3+b1", nil},
		"an exact v":                             {"", "v9.0.0", "v9.0.0", nil},
		"exact, published with v":                {"", "9.0.0", "v9.0.0", nil},
		"a tag":                                  {":1.2.3_b1", "", "1.2.3+b1", nil},
		"a tag that is no version":               {":latest", "", "latest", nil},
		"a tag and its version":                  {":1.2.3_b1", "1.2.3+b1", "1.2.3+b1", nil},
		"a tag and another version":              {":1.2.3_b1", "9.0.0", "", charts.ErrInvalid},
		"a digest":                               {"@" + pin, "", "1.2.3+b1", nil},
		"a tag and a digest":                     {":1.2.3_b1@" + pin, "", "1.2.3+b1", nil},
		"a digest and its version":               {"@" + pin, "^1", "1.2.3+b1", nil},
		"a digest and another version":           {"@" + pin, "^2", "", charts.ErrNotFound},
		"a digest that is not there":             {"@" + digestOf(nil), "", "", charts.ErrNotFound},
		"a tag that is not there":                {":3", "", "", charts.ErrNotFound},
		"a repository that is not there":         {"s", "", "", charts.ErrNotFound},
		"a digest that is none":                  {"@sha256:abc", "", "", charts.ErrInvalid},
		"upper case":                             {"/APP", "", "", charts.ErrInvalid},
	}
	f := charts.New(impatient())
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ref := bundle.ChartRef{Chart: r.ref("team/app") + tc.suffix, Version: tc.version}
			chart, err := f.Fetch(t.Context(), ref, plainHTTP)
			if !errors.Is(err, tc.kind) {
				t.Fatalf("got %v, want %v", err, tc.kind)
			}
			if chart.Lock.Resolved != tc.want {
				t.Errorf("got version %q, want %q", chart.Lock.Resolved, tc.want)
			}
			if err == nil && chart.Lock.Digest != digestOf(chart.Archive) {
				t.Errorf("lock has %s, archive is %s", chart.Lock.Digest, digestOf(chart.Archive))
			}
			if err != nil {
				return
			}
			if locked, err := f.FetchLocked(t.Context(), chart.Lock, plainHTTP); err != nil || !cmp.Equal(chart, locked) {
				t.Errorf("the lock gives %v, %v", locked.Lock, err)
			}
		})
	}
}

func TestAnUnchangedTagCostsOneHead(t *testing.T) {
	r := newRegistry(t)
	r.push(t, "app", "1.0.0", archive(t, "app", "1.0.0"))
	f := charts.New(impatient())
	ref := bundle.ChartRef{Chart: r.ref("app"), Version: "1.0.0"}
	for range 2 {
		r.asked()
		if _, err := f.Resolve(t.Context(), ref, plainHTTP); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"HEAD /v2/app/manifests/1.0.0"}, r.asked()); diff != "" {
		t.Errorf("second resolve (-want +got):\n%s", diff)
	}
}

func TestOnlyHelmChartsAreTaken(t *testing.T) {
	r := newRegistry(t)
	data := archive(t, "app", "1.0.0")
	config, layer := r.blob(mediaConfig, []byte(`{"version":"1.0.0"}`)), r.blob(mediaChart, data)
	image := func(config descriptor, layers ...descriptor) map[string]any {
		return map[string]any{"schemaVersion": 2, "mediaType": mediaManifest, "config": config, "layers": layers}
	}
	in := func(digest, artifact string) descriptor {
		return descriptor{MediaType: mediaManifest, Digest: digest, Size: len(r.manifests[digest].text), ArtifactType: artifact}
	}
	list := func(d ...descriptor) map[string]any {
		return map[string]any{"schemaVersion": 2, "mediaType": mediaIndex, "manifests": d}
	}
	chart := r.pushManifest(t, "x", "chart", mediaManifest, image(config, layer))
	container := r.pushManifest(t, "x", "image", mediaManifest, image(r.blob("application/vnd.oci.image.config.v1+json", []byte("{}")), r.blob("application/vnd.oci.image.layer.v1.tar+gzip", data)))
	big := layer
	big.Size = 21 << 20
	wrongHash := layer
	wrongHash.Digest = "sha512:" + strings.Repeat("0", 128)
	cases := map[string]struct {
		media   string
		content any
		kind    error
		says    string
	}{
		"a chart":                   {mediaManifest, image(config, layer), nil, ""},
		"with provenance":           {mediaManifest, image(config, layer, r.blob("application/vnd.cncf.helm.chart.provenance.v1.prov", []byte("x"))), nil, ""},
		"the old media type":        {mediaManifest, image(config, descriptor{MediaType: "application/tar+gzip", Digest: layer.Digest, Size: layer.Size}), nil, ""},
		"an index of one":           {mediaIndex, list(in(chart, "")), nil, ""},
		"an index with one marked":  {mediaIndex, list(in(container, ""), in(chart, mediaConfig)), nil, ""},
		"an index with none marked": {mediaIndex, list(in(container, ""), in(chart, "")), charts.ErrProtocol, "index of several manifests"},
		"an index with two marked":  {mediaIndex, list(in(chart, mediaConfig), in(chart, mediaConfig)), charts.ErrProtocol, "index of several manifests"},
		"an index of an index":      {mediaIndex, list(descriptor{MediaType: mediaIndex, Digest: chart, Size: 1}), charts.ErrProtocol, "index of several"},
		"a container image":         {mediaManifest, image(r.blob("application/vnd.oci.image.config.v1+json", []byte("{}")), layer), charts.ErrProtocol, "no Helm chart"},
		"no layer":                  {mediaManifest, image(config), charts.ErrProtocol, "0 layers hold a chart"},
		"two layers":                {mediaManifest, image(config, layer, layer), charts.ErrProtocol, "2 layers hold a chart"},
		"a layer beyond the bound":  {mediaManifest, image(config, big), charts.ErrTooLarge, "allowed are"},
		"a digest we cannot verify": {mediaManifest, image(config, wrongHash), charts.ErrProtocol, "not sha256"},
		"another kind of manifest":  {"application/vnd.docker.distribution.manifest.v2+json", image(config, layer, config), charts.ErrProtocol, "no OCI image manifest"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r.pushManifest(t, "app", "1.0.0", tc.media, tc.content)
			got, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Chart: r.ref("app"), Version: "1.0.0"}, plainHTTP)
			if !errors.Is(err, tc.kind) || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v, want %v and %q", err, tc.kind, tc.says)
			}
			if err == nil && !slices.Equal(got.Archive, data) {
				t.Error("got another archive")
			}
		})
	}
}

func TestTagsAreBounded(t *testing.T) {
	r := newRegistry(t)
	for i := range 40 {
		r.push(t, "app", fmt.Sprintf("1.0.%d", i), archive(t, "app", "1.0.0"))
	}
	options := impatient()
	options.MaxTags = 10
	_, err := charts.New(options).Resolve(t.Context(), bundle.ChartRef{Chart: r.ref("app")}, plainHTTP)
	if !errors.Is(err, charts.ErrTooLarge) || !strings.Contains(err.Error(), "more than 10 tags") {
		t.Errorf("got %v", err)
	}
	// A server that never comes to an end has to be left as well.
	endless := newServer(t)
	endless.page("/v2/app/tags/list", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", `</v2/app/tags/list?last=x>; rel="next"`)
		fmt.Fprint(w, `{"tags":[]}`)
	})
	ref := bundle.ChartRef{Chart: "oci://" + endless.Listener.Addr().String() + "/app"}
	if _, err := charts.New(options).Resolve(t.Context(), ref, plainHTTP); !errors.Is(err, charts.ErrTooLarge) {
		t.Errorf("endless list: got %v", err)
	}
}

func TestRegistriesAuthenticate(t *testing.T) {
	var scope string
	data := archive(t, "app", "1.0.0")
	cases := map[string]struct {
		set  func(*registry)
		with bool
		kind error
	}{
		"nobody asks":                {func(*registry) {}, true, nil},
		"a password":                 {func(r *registry) { r.basic = true }, true, nil},
		"a password that is missing": {func(r *registry) { r.basic = true }, false, charts.ErrUnauthorized},
		"a token":                    {func(r *registry) { r.realm = r.URL + "/token"; r.server.page("/token", tokens(&scope, false)) }, true, nil},
		"a token without login":      {func(r *registry) { r.realm = r.URL + "/token"; r.server.page("/token", tokens(&scope, false)) }, false, charts.ErrUnauthorized},
		"a token for anybody":        {func(r *registry) { r.realm = r.URL + "/token"; r.server.page("/token", tokens(&scope, true)) }, false, nil},
		"a token service with no token": {func(r *registry) {
			r.realm = r.URL + "/token"
			r.server.page("/token", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"token":"a\nb"}`) })
		}, true, charts.ErrProtocol},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := newTLSRegistry(t)
			r.push(t, "team/app", "1.0.0", data)
			tc.set(r)
			scope = ""
			c := charts.Credential{CABundle: r.ca()}
			if tc.with {
				c = login(r.ca())
			}
			_, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Chart: r.ref("team/app")}, c)
			if !errors.Is(err, tc.kind) {
				t.Fatalf("got %v, want %v", err, tc.kind)
			}
			if errors.Is(err, charts.ErrUnauthorized) && !strings.Contains(err.Error(), "helmSecretName") {
				t.Errorf("error %q does not say which Secret", err)
			}
			if scope != "" && scope != "repository:team/app:pull" {
				t.Errorf("asked for scope %q, which is more than pulling the chart", scope)
			}
			if !r.basic && r.heard("/v2/team/app/blobs/"+digestOf(data)+" Basic") {
				t.Error("the password was sent where a token does")
			}
		})
	}
}

func TestRegistryCredentialsDoNotLeave(t *testing.T) {
	data := archive(t, "app", "1.0.0")
	cases := map[string]struct {
		set  func(r *registry)
		kind error
		// asked is whether the canary may be asked at all.
		asked bool
	}{
		"a token service elsewhere":       {func(r *registry) { r.realm = "https://auth.example.org/token" }, charts.ErrUntrusted, false},
		"a token service on another port": {func(r *registry) { r.realm = "https://registry.example.com:8443/token" }, charts.ErrUntrusted, false},
		"a token service without TLS":     {func(r *registry) { r.realm = "http://registry.example.com/token" }, charts.ErrUntrusted, false},
		"a token service that redirects": {func(r *registry) {
			r.realm = "https://registry.example.com/token"
			r.redirect("/token", "https://auth.example.org/token")
		}, charts.ErrUntrusted, false},
		"no URL":          {func(r *registry) { r.realm = "gopher://x" }, charts.ErrUntrusted, false},
		"blobs elsewhere": {func(r *registry) { r.basic, r.moved = true, "https://auth.example.org/store/" }, nil, true},
		"blobs elsewhere with a token": {func(r *registry) {
			r.realm, r.moved = "https://registry.example.com/token", "https://auth.example.org/store/"
		}, nil, true},
		"a manifest elsewhere": {func(r *registry) {
			r.redirect("/v2/app/manifests/1.0.0", "https://auth.example.org/v2/app/manifests/1.0.0")
		}, charts.ErrUntrusted, false},
		"tags of another repository": {func(r *registry) { r.redirect("/v2/app/tags/list", "/v2/evil/tags/list") }, charts.ErrNotFound, false},
		"tags elsewhere":             {func(r *registry) { r.redirect("/v2/app/tags/list", "https://auth.example.org/v2/app/tags/list") }, charts.ErrUntrusted, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, canary, plain := newTLSRegistry(t), newTLSServer(t), newServer(t)
			var scope string
			r.server.page("/token", tokens(&scope, false))
			canary.page("/token", tokens(&scope, true))
			plain.page("/token", tokens(&scope, true))
			canary.file("/store/"+digestOf(data), data)
			r.push(t, "app", "1.0.0", data)
			tc.set(r)
			options := impatient()
			options.Dial = named(map[string]*server{
				"registry.example.com:443": r.server, "registry.example.com:8443": canary, "registry.example.com:80": plain, "auth.example.org:443": canary,
			})
			c := login(r.ca())
			version := ""
			if strings.Contains(name, "manifest") {
				version = "1.0.0"
			}
			_, err := charts.New(options).Fetch(t.Context(), bundle.ChartRef{Chart: "oci://registry.example.com/app", Version: version}, c)
			if !errors.Is(err, tc.kind) {
				t.Fatalf("got %v, want %v", err, tc.kind)
			}
			if canary.heard("") || plain.heard("") || r.heard("/v2/evil") {
				t.Error("a login or token left the registry")
			}
			if len(canary.asked())+len(plain.asked()) > 0 != tc.asked {
				t.Errorf("the canary was asked: %t, want %t", !tc.asked, tc.asked)
			}
		})
	}
}

func TestAnonymousTokensNeedTLS(t *testing.T) {
	var scope string
	for realm, kind := range map[string]error{
		"https://auth.example.org/token":    nil,
		"http://auth.example.org/token":     charts.ErrUntrusted,
		"http://registry.example.com/token": charts.ErrUntrusted,
	} {
		t.Run(realm, func(t *testing.T) {
			r, other, plain := newTLSRegistry(t), newTLSServer(t), newServer(t)
			r.push(t, "app", "1.0.0", archive(t, "app", "1.0.0"))
			r.realm = realm
			other.page("/token", tokens(&scope, true))
			plain.page("/token", tokens(&scope, true))
			options := impatient()
			options.Dial = named(map[string]*server{
				"registry.example.com:443": r.server, "registry.example.com:80": plain, "auth.example.org:443": other, "auth.example.org:80": plain,
			})
			_, err := charts.New(options).Fetch(t.Context(), bundle.ChartRef{Chart: "oci://registry.example.com/app"}, charts.Credential{CABundle: r.ca()})
			if !errors.Is(err, kind) {
				t.Errorf("got %v, want %v", err, kind)
			}
		})
	}
}

func TestTokenServicesOfTheSameParty(t *testing.T) {
	cases := map[string]struct {
		registry, realm string
		want            bool
	}{
		"Docker Hub":                {"https://registry-1.docker.io/v2/library/x", "https://auth.docker.io/token", true},
		"GitLab":                    {"https://registry.gitlab.com/v2/x", "https://gitlab.com/jwt/auth", true},
		"itself":                    {"https://ghcr.io/v2/x", "https://ghcr.io/token", true},
		"itself on its port":        {"https://registry.corp:5000/v2/x", "https://registry.corp:5000/token", true},
		"itself on another port":    {"https://registry.example.com/v2/x", "https://registry.example.com:8443/token", false},
		"without TLS":               {"https://registry.example.com/v2/x", "http://auth.example.com/token", false},
		"of a registry without TLS": {"http://registry.example.com/v2/x", "https://auth.example.com/token", false},
		"another domain":            {"https://registry.example.com/v2/x", "https://example.org/token", false},
		"a domain that is not listed is one party": {"https://a.azurecr.io/v2/x", "https://b.azurecr.io/token", true},
		"pages of a shared domain":                 {"https://a.github.io/v2/x", "https://b.github.io/token", false},
		"a country's suffix":                       {"https://a.co.uk/v2/x", "https://b.co.uk/token", false},
		"services of one cluster":                  {"https://r.a.svc.cluster.local/v2/x", "https://r.b.svc.cluster.local/token", false},
		"addresses":                                {"https://10.0.0.1/v2/x", "https://10.0.0.2/token", false},
		"a name that ends alike":                   {"https://registry.example.com/v2/x", "https://evilexample.com/token", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := charts.SameParty(tc.registry, tc.realm); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}

func TestARegistryWithoutTLSHasToBeAskedFor(t *testing.T) {
	r := newRegistry(t)
	r.push(t, "app", "1.0.0", archive(t, "app", "1.0.0"))
	_, err := charts.New(impatient()).Resolve(t.Context(), bundle.ChartRef{Chart: r.ref("app")}, charts.Credential{})
	if !errors.Is(err, charts.ErrUntrusted) || !strings.Contains(err.Error(), "basicHTTP") {
		t.Errorf("got %v, want that it names basicHTTP", err)
	}
}

func TestChallengesAreRead(t *testing.T) {
	cases := map[string]struct {
		header string
		scheme string
		want   map[string]string
	}{
		"bearer":       {`Bearer realm="https://a/t",service="b",scope="repository:c:pull,push"`, "bearer", map[string]string{"realm": "https://a/t", "service": "b", "scope": "repository:c:pull,push"}},
		"spaces":       {`BEARER  realm="a" , service=b`, "bearer", map[string]string{"realm": "a", "service": "b"}},
		"escapes":      {`Basic realm="a\"b\\"`, "basic", map[string]string{"realm": `a"b\`}},
		"unterminated": {`Bearer realm="a`, "bearer", map[string]string{"realm": "a"}},
		"nothing":      {``, "", map[string]string{}},
		"no value":     {`Bearer realm`, "bearer", map[string]string{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			scheme, got := charts.ParseChallenge(tc.header)
			if diff := cmp.Diff(tc.want, got); scheme != tc.scheme || diff != "" {
				t.Errorf("got scheme %q, parameters (-want +got):\n%s", scheme, diff)
			}
		})
	}
}
