package charts_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/bundle"
)

func TestAddressesThatAreRefused(t *testing.T) {
	web := newServer(t)
	web.redirect("/away/app.tgz", "http://169.254.169.254/latest/meta-data")
	hosts := map[string]string{
		"metadata":        "169.254.169.254",
		"metadata, IPv6":  "[fd00:ec2::254]",
		"mapped":          "[::ffff:169.254.169.254]",
		"link-local IPv6": "[fe80::1]",
		"unspecified":     "0.0.0.0",
		"unspecified 6":   "[::]",
		"multicast":       "224.0.0.1",
	}
	f := charts.New(impatient())
	check := func(t *testing.T, ref bundle.ChartRef) {
		t.Helper()
		if _, err := f.Fetch(t.Context(), ref, plainHTTP); !errors.Is(err, charts.ErrUntrusted) {
			t.Errorf("%v: got %v, want not trusted", ref, err)
		}
	}
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			check(t, bundle.ChartRef{Repo: "http://" + host, Chart: "app"})
			check(t, bundle.ChartRef{Chart: "http://" + host + "/app.tgz"})
			check(t, bundle.ChartRef{Chart: "oci://" + host + "/app"})
		})
	}
	t.Run("redirect", func(t *testing.T) { check(t, bundle.ChartRef{Chart: web.URL + "/away/app.tgz"}) })
	t.Run("index", func(t *testing.T) {
		web.file("/index.yaml", index(chartEntry{"app", "1.0.0", "http://169.254.169.254/app.tgz", digestOf(nil)}))
		check(t, bundle.ChartRef{Repo: web.URL, Chart: "app"})
	})
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	proxy := newServer(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	options := impatient()
	options.Dial = named(nil)
	_, err := charts.New(options).Resolve(t.Context(), bundle.ChartRef{Repo: "http://charts.example.com", Chart: "app"}, login(nil))
	if err == nil || len(proxy.asked()) > 0 {
		t.Errorf("got %v; the proxy was used or nothing failed", err)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	for range 4 {
		if _, err := w.Write(bytes.Repeat([]byte("#"), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(bytes.Repeat([]byte("#"), 1<<16)); err != nil {
				return
			}
		}
	}
	web := newServer(t)
	web.page("/bomb/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zipped.Bytes())
	})
	web.page("/endless/index.yaml", endless)
	web.page("/endless.tgz", endless)
	web.page("/large.tgz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000000")
		w.WriteHeader(http.StatusOK)
	})
	for name, ref := range map[string]bundle.ChartRef{
		"compressed index": {Repo: web.URL + "/bomb", Chart: "app"},
		"endless index":    {Repo: web.URL + "/endless", Chart: "app"},
		"endless archive":  {Chart: web.URL + "/endless.tgz"},
		"large archive":    {Chart: web.URL + "/large.tgz"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := charts.New(charts.Options{MaxIndexBytes: 1 << 20, MaxArchiveBytes: 1 << 20}).Fetch(t.Context(), ref, charts.Credential{})
			if !errors.Is(err, charts.ErrTooLarge) {
				t.Errorf("got %v, want too large", err)
			}
		})
	}
}

func TestACompressedIndexIsRead(t *testing.T) {
	web := newServer(t)
	web.page("/index.yaml", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("got Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		_, _ = zipped.Write(index(chartEntry{"app", "1.0.0", "app.tgz", digestOf(nil)}))
		_ = zipped.Close()
	})
	lock, err := charts.New(impatient()).Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{})
	if err != nil || lock.Resolved != "1.0.0" {
		t.Errorf("got %v, %v", lock, err)
	}
}

func TestASlowServerIsLeft(t *testing.T) {
	web := newServer(t)
	gone := make(chan struct{})
	web.page("/index.yaml", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	options := impatient()
	options.RequestTimeout = 50 * time.Millisecond
	_, err := charts.New(options).Resolve(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{})
	if !errors.Is(err, charts.ErrUnreachable) || !strings.Contains(err.Error(), "no complete answer in time") {
		t.Errorf("got %v", err)
	}
	<-gone
}

func TestAFailureReadsTheSameEachTime(t *testing.T) {
	web := newServer(t)
	web.page("/cut/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = connection.(*net.TCPConn).SetLinger(0) // a reset, whose text has the ports of both ends
		_ = connection.Close()
	})
	for name, repo := range map[string]string{"refused": "http://127.0.0.1:1", "reset": web.URL + "/cut"} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			for range 3 {
				_, err := charts.New(impatient()).Resolve(t.Context(), bundle.ChartRef{Repo: repo, Chart: "app"}, charts.Credential{})
				if !errors.Is(err, charts.ErrUnreachable) {
					t.Errorf("got %v", err)
				}
				seen[err.Error()] = true
			}
			if len(seen) != 1 {
				t.Errorf("got different texts: %v", slices.Collect(maps.Keys(seen)))
			}
		})
	}
}

func TestACancelledCallSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	web := newServer(t)
	web.page("/index.yaml", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := charts.New(impatient()).Resolve(ctx, bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, charts.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestSecretsInURLsAreNotShown(t *testing.T) {
	web := newServer(t)
	web.redirect("/signed.tgz", web.URL+"/store?signature=hunter2")
	for _, ref := range []bundle.ChartRef{
		{Chart: web.URL + "/none.tgz?token=hunter2"},
		{Chart: web.URL + "/signed.tgz"},
		{Repo: web.URL + "/?token=hunter2", Chart: "app"},
		{Repo: "https://u:hunter2@example.com/", Chart: "app"},
		{Repo: "https://u:hunter2@%zz/", Chart: "app"},
		{Chart: "oci://u:hunter2@example.com/app"},
		{Chart: "http://127.0.0.1:1/x.tgz?token=hunter2"},
	} {
		_, err := charts.New(impatient()).Fetch(t.Context(), ref, charts.Credential{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: got %v", ref, err)
		}
	}
}
