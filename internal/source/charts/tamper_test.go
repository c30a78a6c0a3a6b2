package charts_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/internal/source/charts"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// SCENARIOS 92: what was tampered with is refused, and nothing is taken in its place.
func TestTamperedArchivesAreRefused(t *testing.T) {
	good, evil := archive(t, "app", "1.0.0"), archive(t, "app", "1.0.0-evil")
	cases := map[string]struct {
		lock func(web *server, r *registry) bundle.ChartRef
		// tamper happens after the lock was made.
		tamper func(web *server, r *registry)
		kind   error
	}{
		"repository, nothing happened": {inRepository, func(*server, *registry) {}, nil},
		"repository, the file":         {inRepository, func(web *server, _ *registry) { web.file("/app-1.0.0.tgz", evil) }, charts.ErrTampered},
		"repository, file and index": {inRepository, func(web *server, _ *registry) {
			web.file("/app-1.0.0.tgz", evil)
			web.file("/index.yaml", index(chartEntry{"app", "1.0.0", "app-1.0.0.tgz", digestOf(evil)}))
		}, charts.ErrTampered},
		"repository, version withdrawn": {inRepository, func(web *server, _ *registry) {
			web.publish(t, "", "app", "1.0.1")
		}, charts.ErrNotFound},
		"repository, version withdrawn for one that sorts alike": {inRepository, func(web *server, _ *registry) {
			web.publish(t, "", "app", "1.0.0+b2")
		}, charts.ErrNotFound},
		"archive URL":                                {inArchive, func(web *server, _ *registry) { web.file("/app-1.0.0.tgz", evil) }, charts.ErrTampered},
		"archive URL, withdrawn":                     {inArchive, func(web *server, _ *registry) { web.page("/app-1.0.0.tgz", http.NotFound) }, charts.ErrNotFound},
		"registry, the tag moved, the archive stays": {inRegistry, func(_ *server, r *registry) { r.push(t, "app", "1.0.0", evil) }, nil},
		"registry, the tag moved, the archive is gone": {inRegistry, func(_ *server, r *registry) {
			r.push(t, "app", "1.0.0", evil)
			delete(r.blobs, digestOf(good))
		}, charts.ErrTampered},
		"registry, the archive is gone": {inRegistry, func(_ *server, r *registry) { delete(r.blobs, digestOf(good)) }, charts.ErrNotFound},
		"registry, another blob":        {inRegistry, func(_ *server, r *registry) { r.blobs[digestOf(good)] = evil }, charts.ErrTampered},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			web, r := newServer(t), newRegistry(t)
			web.publish(t, "", "app", "1.0.0")
			r.push(t, "app", "1.0.0", good)
			ref := tc.lock(web, r)
			now := newClock()
			options := impatient()
			options.Now, options.CacheDir = now.read, t.TempDir()
			resolving := charts.New(options)
			lock, err := resolving.Resolve(t.Context(), ref, plainHTTP)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(options.CacheDir); err != nil {
				t.Fatal(err)
			}
			tc.tamper(web, r)
			now.move(time.Hour)
			for range 2 { // refused the second time as well
				chart, err := charts.New(options).FetchLocked(t.Context(), lock, plainHTTP)
				if !errors.Is(err, tc.kind) {
					t.Fatalf("got %v, want %v", err, tc.kind)
				}
				if tc.kind != nil {
					if chart.Archive != nil {
						t.Error("got an archive together with an error")
					}
					continue
				}
				if diff := cmp.Diff(charts.Chart{Lock: lock, Archive: good}, chart); diff != "" {
					t.Errorf("chart (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func inRepository(web *server, _ *registry) bundle.ChartRef {
	return bundle.ChartRef{Repo: web.URL, Chart: "app", Version: "~1.0"}
}

func inArchive(web *server, _ *registry) bundle.ChartRef {
	return bundle.ChartRef{Chart: web.URL + "/app-1.0.0.tgz"}
}

func inRegistry(_ *server, r *registry) bundle.ChartRef {
	return bundle.ChartRef{Chart: r.ref("app"), Version: "1.0.0"}
}

func TestAPinnedManifestIsVerifiedWhole(t *testing.T) {
	r := newRegistry(t)
	pin := r.push(t, "app", "1.0.0", archive(t, "app", "1.0.0"))
	ref := bundle.ChartRef{Chart: r.ref("app") + "@" + pin}
	config := digestOf([]byte(`{"name":"app","version":"1.0.0","apiVersion":"v2"}`))
	cases := map[string]func(){
		"the config":   func() { r.blobs[config] = []byte(`{"name":"app","version":"9.9.9"}`) },
		"the manifest": func() { r.manifests[pin] = manifest{mediaManifest, bytes.ToUpper(r.manifests[pin].text)} },
	}
	for _, name := range []string{"the config", "the manifest"} {
		t.Run(name, func(t *testing.T) {
			cases[name]()
			if _, err := charts.New(impatient()).Resolve(t.Context(), ref, plainHTTP); !errors.Is(err, charts.ErrTampered) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnArchiveHasToBeWhatTheIndexPromises(t *testing.T) {
	web := newServer(t)
	web.file("/app.tgz", archive(t, "app", "6.6.6"))
	for name, digest := range map[string]string{"plain": digestOf([]byte("x")), "with prefix": "sha256:" + digestOf([]byte("x"))} {
		t.Run(name, func(t *testing.T) {
			web.file("/index.yaml", index(chartEntry{"app", "1.0.0", "app.tgz", digest}))
			_, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{})
			if !errors.Is(err, charts.ErrTampered) {
				t.Errorf("got %v", err)
			}
		})
	}
	web.file("/index.yaml", index(chartEntry{"app", "1.0.0", "app.tgz", "md5:abc"}))
	if _, err := charts.New(impatient()).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{}); err != nil {
		t.Errorf("a digest that is no sha256 counts as none: got %v", err)
	}
}

func TestACachedArchiveThatChangedIsRefused(t *testing.T) {
	cases := map[string]func(t *testing.T, file string){
		"another archive": func(t *testing.T, file string) { write(t, file, archive(t, "app", "6.6.6")) },
		"truncated":       func(t *testing.T, file string) { write(t, file, nil) },
		"a symbolic link": func(t *testing.T, file string) {
			other := filepath.Join(t.TempDir(), "other")
			write(t, other, archive(t, "app", "1.0.0"))
			if err := errors.Join(os.Remove(file), os.Symlink(other, file)); err != nil {
				t.Fatal(err)
			}
		},
		"a directory": func(t *testing.T, file string) {
			if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			web, dir := newServer(t), t.TempDir()
			web.publish(t, "", "app", "1.0.0")
			ref := bundle.ChartRef{Repo: web.URL, Chart: "app"}
			chart, err := charts.New(charts.Options{CacheDir: dir}).Fetch(t.Context(), ref, charts.Credential{})
			if err != nil {
				t.Fatal(err)
			}
			change(t, onlyFile(t, dir))
			f := charts.New(charts.Options{CacheDir: dir})
			web.asked()
			for range 2 {
				_, err := f.FetchLocked(t.Context(), chart.Lock, charts.Credential{})
				if !errors.Is(err, charts.ErrTampered) || !strings.Contains(err.Error(), "chart cache") {
					t.Errorf("got %v", err)
				}
			}
			if asked := web.asked(); len(asked) > 0 {
				t.Errorf("it was fetched again: %v", asked)
			}
		})
	}
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// onlyFile is the one archive in a cache.
func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.tgz"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cache has %v, %v; want one archive", files, err)
	}
	return files[0]
}

func TestALockedArchiveComesFromTheCache(t *testing.T) {
	web, dir := newServer(t), t.TempDir()
	web.publish(t, "", "app", "1.0.0")
	page := private(web.pages["/index.yaml"])
	web.page("/index.yaml", page)
	web.page("/app-1.0.0.tgz", private(web.pages["/app-1.0.0.tgz"]))
	f := charts.New(charts.Options{CacheDir: dir})
	chart, err := f.Fetch(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, login(nil))
	if err != nil {
		t.Fatal(err)
	}
	web.asked()
	f = charts.New(charts.Options{CacheDir: dir})
	got, err := f.FetchLocked(t.Context(), chart.Lock, login(nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(chart, got); diff != "" {
		t.Errorf("chart (-want +got):\n%s", diff)
	}
	if asked := web.asked(); len(asked) > 0 {
		t.Errorf("the server was asked: %v", asked)
	}
	// Whoever knows a digest only is not given the archive.
	if _, err := f.FetchLocked(t.Context(), chart.Lock, charts.Credential{}); !errors.Is(err, charts.ErrUnauthorized) {
		t.Errorf("without the login: got %v, want unauthorized", err)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	web, dir, now := newServer(t), t.TempDir(), newClock()
	web.publish(t, "", "app", "1.0.0", "2.0.0", "3.0.0")
	size := int64(len(archive(t, "app", "1.0.0")))
	options := charts.Options{CacheDir: dir, MaxCacheBytes: 2*size + size/2, Now: now.read}
	fetch := func(version string) v1alpha1.ChartLock {
		t.Helper()
		now.move(time.Second)
		chart, err := charts.New(options).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app", Version: version}, charts.Credential{})
		if err != nil {
			t.Fatal(err)
		}
		return chart.Lock
	}
	one, two := fetch("1.0.0"), fetch("2.0.0")
	// A new Fetcher, as after a restart, has to know which was used last.
	fetch("1.0.0")
	three := fetch("3.0.0")
	for name, tc := range map[string]struct {
		lock v1alpha1.ChartLock
		want bool
	}{"used": {one, true}, "used longest ago": {two, false}, "new": {three, true}} {
		_, err := os.Stat(filepath.Join(onlyDir(t, dir), strings.TrimPrefix(tc.lock.Digest, "sha256:")+".tgz"))
		if got := err == nil; got != tc.want {
			t.Errorf("%s: in the cache: %t, want %t", name, got, tc.want)
		}
	}
}

func TestWhatACrashLeftIsCleared(t *testing.T) {
	web, dir := newServer(t), t.TempDir()
	web.publish(t, "", "app", "1.0.0")
	left := filepath.Join(dir, "writing-1")
	write(t, left, []byte("half"))
	if _, err := charts.New(charts.Options{CacheDir: dir}).Fetch(t.Context(), bundle.ChartRef{Repo: web.URL, Chart: "app"}, charts.Credential{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a half-written file is still there: %v", err)
	}
}

// onlyDir is the directory of the one credential in a cache.
func onlyDir(t *testing.T, dir string) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(dir, "*", ""))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("cache has %v, %v", dirs, err)
	}
	return dirs[0]
}

func TestALockNeedsADigest(t *testing.T) {
	for name, digest := range map[string]string{"none": "", "short": "sha256:abc", "upper case": strings.ToUpper(digestOf(nil)), "a path": "sha256:" + strings.Repeat("../", 21) + "a"} {
		t.Run(name, func(t *testing.T) {
			_, err := charts.New(charts.Options{}).FetchLocked(t.Context(), v1alpha1.ChartLock{Repo: "https://example.com", Chart: "app", Resolved: "1.0.0", Digest: digest}, charts.Credential{})
			if !errors.Is(err, charts.ErrInvalid) {
				t.Errorf("got %v", err)
			}
		})
	}
}
