package hub_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab/tgz"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// chartServer is an HTTP repository of charts on loopback.
type chartServer struct {
	*httptest.Server

	mu       sync.Mutex // guards the fields below
	archives map[string][]byte
	index    strings.Builder
	requests []string
	logins   []string
	password string // required if set
}

func newChartServer(t *testing.T) *chartServer {
	t.Helper()
	s := &chartServer{archives: map[string][]byte{}}
	s.index.WriteString("apiVersion: v1\nentries:\n")
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *chartServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, path.Base(r.URL.Path))
	s.logins = append(s.logins, r.Header.Get("Authorization"))
	if _, password, _ := r.BasicAuth(); s.password != "" && password != s.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	data, ok := s.archives[path.Base(r.URL.Path)]
	switch {
	case path.Base(r.URL.Path) == "index.yaml":
		data = []byte(s.index.String())
	case !ok:
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(data)
}

// take returns the requests since the last time.
func (s *chartServer) take() (requests, logins []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests, logins = s.requests, s.logins
	s.requests, s.logins = nil, nil
	return requests, logins
}

// publish adds a version of the chart web, whose objects the renderer of these tests shows.
func (f *follower) publish(s *chartServer, version string, objects ...string) {
	f.t.Helper()
	data := chartArchive(f.t, "web", version)
	f.mu.Lock()
	if f.archives == nil {
		f.archives = map[string][]string{}
	}
	f.archives[digestOf(data)] = objects
	f.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.archives) == 0 {
		s.index.WriteString("  web:\n")
	}
	name := "web-" + version + ".tgz"
	s.archives[name] = data
	fmt.Fprintf(&s.index, "  - {name: web, version: %s, urls: [%s], digest: %s}\n", version, name, strings.TrimPrefix(digestOf(data), "sha256:"))
}

// chartArchive packs a chart with one template: a ConfigMap that shows its version and a value.
func chartArchive(t *testing.T, name, version string) []byte {
	t.Helper()
	return tgz.Pack(t,
		tgz.File{Name: name + "/Chart.yaml", Text: fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version)},
		tgz.File{Name: name + "/templates/a.yaml", Text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {version: {{ .Chart.Version | quote }}, color: {{ .Values.color | default \"none\" }}}\n"})
}

func fleetYAML(s *chartServer, version string) string {
	return fmt.Sprintf("helm:\n  repo: %s\n  chart: web\n  version: %q\n", s.URL, version)
}

// later has so much time pass for the GitRepo controller, and asks for a look.
func (f *follower) later(d time.Duration) {
	f.looks.forward(d)
	f.ask()
}

func (w *world) locked(name string) string {
	w.t.Helper()
	b := w.storedBundle(name)
	if b == nil || b.Spec.Source == nil {
		return ""
	}
	var out []string
	for _, lock := range b.Spec.Source.Charts {
		out = append(out, lock.Version+"="+lock.Resolved)
	}
	return strings.Join(out, " ")
}

func TestANewVersionThatAConstraintAllowsIsDeployed(t *testing.T) {
	f := follow(t)
	s := newChartServer(t)
	f.publish(s, "1.0.0", "ConfigMap/one")
	f.create("apps/*")
	f.looks.stop()
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, "^1.0.0"), "apps/db/a.yaml": object("db", "1")}))
	f.wantSays("a", "fleet-apps-db@1 fleet-apps-web@1")
	if got := f.locked("fleet-apps-web"); got != "^1.0.0=1.0.0" {
		t.Errorf("locked %q", got)
	}
	f.until("saying what is locked", func() bool {
		c := f.mustBundle("fleet-apps-web").Status.Charts
		return len(c) == 1 && c[0].Resolved == "1.0.0"
	})

	// Within a minute nobody asks again, and a look that finds nothing writes nothing.
	f.publish(s, "1.1.0", "ConfigMap/one=new")
	f.publish(s, "2.0.0", "ConfigMap/two")
	f.quiet()
	s.take()
	f.later(time.Second)
	f.later(time.Second)
	time.Sleep(300 * time.Millisecond)
	if requests, _ := s.take(); len(requests) != 0 {
		t.Errorf("requests within a minute: %v", requests)
	}
	wantWrites(t, f.hub)

	f.looks.run()
	f.later(time.Minute)
	f.until("at 1.1.0", func() bool { return f.locked("fleet-apps-web") == "^1.0.0=1.1.0" })
	f.until("deployed", func() bool {
		check(t, f.compose())
		return f.says("a") == "fleet-apps-db@1 fleet-apps-web@2"
	})
	// These tests let no index be believed for a moment, so resolving and fetching each look at it.
	if requests, _ := s.take(); strings.Join(requests, " ") != "index.yaml index.yaml web-1.1.0.tgz" {
		t.Errorf("requests: %v", requests)
	}
}

// The whole way: fetched, locked, rendered with values of the hub, by the real renderer.
func TestARemoteChartIsRenderedWithHubValues(t *testing.T) {
	f := follow(t)
	f.useRenderer()
	s := newChartServer(t)
	f.publish(s, "1.2.3")
	f.configMap("colors", map[string]string{"v.yaml": "color: green"})
	f.create("apps/*")
	f.settled(f.push(map[string]string{
		"apps/web/fleet.yaml": fleetYAML(s, "1.x") + "hubValuesFrom:\n- configMapKeyRef: {name: colors, key: v.yaml}\n",
	}))
	if got := f.shown("a", "web"); !strings.Contains(got, `"version":"1.2.3"`) || !strings.Contains(got, `"color":"green"`) {
		t.Errorf("rendered %s; problems %+v, %+v", got, f.repo().Status.Problems, f.rollout("fleet-apps-web").Status.Problems)
	}
}

func TestAChartThatCannotBeHadBreaksItsBundleAlone(t *testing.T) {
	f := follow(t)
	s := newChartServer(t)
	f.publish(s, "1.0.0", "ConfigMap/one")
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, "1.0.0"), "apps/db/a.yaml": object("db", "1")}))
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, "1.0.1"), "apps/db/a.yaml": object("db", "2")}))
	f.saysWhy(v1alpha1.ReasonChartUnavailable, "apps/web/fleet.yaml:3")
	f.wantSays("a", "fleet-apps-db@2 fleet-apps-web@1")

	// It is tried again, ever more rarely, although nobody pushes.
	f.looks.stop()
	f.ask()
	f.until("done with a retry that may have been due", func() bool {
		time.Sleep(300 * time.Millisecond)
		requests, _ := s.take()
		return len(requests) == 0
	})
	f.ask()
	f.later(time.Second)
	time.Sleep(300 * time.Millisecond)
	if requests, _ := s.take(); len(requests) != 0 {
		t.Errorf("tried again at once: %v", requests)
	}
	f.publish(s, "1.0.1", "ConfigMap/one=new")
	f.looks.run()
	f.later(time.Minute)
	f.until("deployed", func() bool {
		check(t, f.compose())
		return f.says("a") == "fleet-apps-db@2 fleet-apps-web@2"
	})
	f.until("well again", func() bool { return len(f.repo().Status.Problems) == 0 })
}

// What is locked is on the hub: an edit beside it needs no registry.
func TestALockedChartNeedsNoNetwork(t *testing.T) {
	f := follow(t)
	s := newChartServer(t)
	f.publish(s, "1.0.0", "ConfigMap/one")
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, ">=1"), "apps/exact/fleet.yaml": fleetYAML(s, "1.0.0")}))
	f.wantSays("a", "fleet-apps-exact@1 fleet-apps-web@1")
	s.Close()
	f.later(time.Hour)
	values := "  values: {a: b}\n"
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, ">=1") + values, "apps/exact/fleet.yaml": fleetYAML(s, "1.0.0") + values}))
	for _, name := range []string{"fleet-apps-web", "fleet-apps-exact"} {
		if b := f.mustBundle(name); b.Spec.Helm == nil || b.Spec.Helm.Values == nil {
			t.Errorf("%s was not deployed without its registry: %+v", name, f.repo().Status.Problems)
		}
	}
	f.until("saying that it cannot look for newer ones", func() bool {
		p := f.repo().Status.Problems
		return len(p) == 1 && p[0].Severity == "warning" && p[0].Code == v1alpha1.ReasonChartUnavailable
	})
}

// A chart's new version is content: what it no longer has is weighed as such.
func TestAProtectedObjectThatAChartDropsIsHeld(t *testing.T) {
	f := follow(t)
	s := newChartServer(t)
	f.publish(s, "1.0.0", "ConfigMap/one", "PersistentVolumeClaim/data")
	f.create("apps/*")
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, "1")}))
	f.publish(s, "1.1.0", "ConfigMap/one")
	f.later(2 * time.Minute)
	f.until("held", func() bool { return len(f.rollout("fleet-apps-web").Status.Holds) == 1 })
}

func TestCredentialsGoOnlyWhereTheGitRepoMeansThem(t *testing.T) {
	f := follow(t)
	private, public := newChartServer(t), newChartServer(t)
	private.password = "p1"
	f.publish(private, "1.0.0", "ConfigMap/one")
	f.publish(public, "1.0.0", "ConfigMap/one")
	f.secret("charts", map[string]string{"username": "u", "password": "p1"})
	f.create("apps/*")
	f.edit(func(g *v1alpha1.GitRepo) {
		g.Spec.HelmSecretName, g.Spec.HelmRepoURLRegex = "charts", "^"+strings.ReplaceAll(private.URL, ".", `\.`)
	})
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(private, "1.0.0"), "apps/db/fleet.yaml": fleetYAML(public, "1.0.0")}))
	f.wantSays("a", "fleet-apps-db@1 fleet-apps-web@1")
	_, logins := public.take()
	if len(logins) == 0 || strings.Join(logins, "") != "" {
		t.Errorf("the other server was sent %q", logins)
	}
}

func TestCredentialsByPath(t *testing.T) {
	f := follow(t)
	s := newChartServer(t)
	s.password = "p2"
	f.publish(s, "1.0.0", "ConfigMap/one")
	f.secret("paths", map[string]string{"secrets-path.yaml": "apps/web: {username: u, password: p2}\napps/db: {username: u, password: wrong}\n"})
	f.create("apps/*")
	f.edit(func(g *v1alpha1.GitRepo) { g.Spec.HelmSecretNameForPaths = "paths" })
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, "1.0.0"), "apps/db/fleet.yaml": fleetYAML(s, "1.0.0")}))
	f.saysWhy(v1alpha1.ReasonChartUnavailable, "apps/db/fleet.yaml")
	f.wantSays("a", "fleet-apps-web@1")
	if p := f.repo().Status.Problems; len(p) != 1 || strings.Contains(p[0].Message, "wrong") {
		t.Errorf("problems: %+v", p)
	}
}

func TestAMissingChartSecretIsSaid(t *testing.T) {
	f := follow(t)
	s := newChartServer(t)
	f.publish(s, "1.0.0", "ConfigMap/one")
	f.create("apps/*")
	f.edit(func(g *v1alpha1.GitRepo) { g.Spec.HelmSecretName = "gone" })
	f.settled(f.push(map[string]string{"apps/web/fleet.yaml": fleetYAML(s, "1.0.0")}))
	f.saysWhy(v1alpha1.ReasonChartUnavailable, "spec.helmSecretName names")
	if requests, _ := s.take(); len(requests) != 0 {
		t.Errorf("asked without the credentials: %v", requests)
	}
}
