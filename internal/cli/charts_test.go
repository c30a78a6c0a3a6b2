package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-dev/muster/internal/lab/tgz"
)

// chartServer serves an HTTP chart repository with two versions of one chart.
type chartServer struct {
	*httptest.Server
	asked        atomic.Int64
	unauthorized atomic.Int64
}

func serveCharts(t *testing.T) *chartServer {
	t.Helper()
	s := &chartServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			s.unauthorized.Add(1)
		}
		switch r.URL.Path {
		case "/index.yaml":
			fmt.Fprintf(w, "apiVersion: v1\nentries:\n  shop:\n")
			for _, version := range []string{"1.2.0", "2.0.0"} {
				fmt.Fprintf(w, "  - {apiVersion: v2, name: shop, version: %s, urls: [shop-%s.tgz]}\n", version, version)
			}
		case "/shop-1.2.0.tgz":
			_, _ = w.Write(packed(t, "1.2.0"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// packed is a chart as `helm package` makes one.
func packed(t *testing.T, version string) []byte {
	t.Helper()
	return tgz.Pack(t,
		tgz.File{Name: "shop/Chart.yaml", Text: "apiVersion: v2\nname: shop\nversion: " + version + "\n"},
		tgz.File{Name: "shop/templates/shown.yaml", Text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shown}\ndata: {version: {{ .Chart.Version }}}\n"})
}

// remoteRepo is a repository whose only chart is on the server.
func remoteRepo(t *testing.T, server *chartServer, version string) (dir, inventory string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	text := fmt.Sprintf("name: shop\ncreateNamespace: false\nhelm:\n  repo: %s\n  chart: shop\n  version: %s\n", server.URL, version)
	write(t, filepath.Join(dir, "repo", "shop", "fleet.yaml"), text)
	inventory = filepath.Join(dir, "inventory.yaml")
	write(t, inventory, "{apiVersion: muster.dev/v1alpha1, kind: Cluster, metadata: {name: a}}\n---\n{apiVersion: muster.dev/v1alpha1, kind: Cluster, metadata: {name: b}}\n")
	return filepath.Join(dir, "repo"), inventory
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestChartsAreFetchedWhenAskedForOnly(t *testing.T) {
	server := serveCharts(t)
	repo, inventory := remoteRepo(t, server, "^1.0")
	for name, command := range map[string]string{
		"render":                     "muster render " + repo + " --inventory " + inventory + " --cluster a",
		"validate":                   "muster validate " + repo + " --inventory " + inventory,
		"validate without inventory": "muster validate " + repo + " --fetch-charts",
		"why":                        "muster why " + repo + " shop a --inventory " + inventory,
	} {
		got := run(t, strings.Fields(command))
		if n := server.asked.Load(); n != 0 {
			t.Fatalf("%s: the chart repository was asked %d times, want never", name, n)
		}
		if all := got["stdout"] + got["stderr"]; !strings.Contains(all, "is not in the repository") {
			t.Errorf("%s says nothing of the chart that is not there:\n%s", name, all)
		}
	}
}

func TestAFetchedChartIsRendered(t *testing.T) {
	server := serveCharts(t)
	repo, inventory := remoteRepo(t, server, "^1.0")
	got := run(t, strings.Fields("muster render "+repo+" --inventory "+inventory+" --cluster a --fetch-charts"))
	if got["exit"] != "0\n" || !strings.Contains(got["stdout"], "version: 1.2.0") {
		t.Fatalf("exit %s, stdout:\n%s\nstderr:\n%s", got["exit"], got["stdout"], got["stderr"])
	}
	if server.unauthorized.Load() != 0 {
		t.Error("credentials were sent; there are none offline")
	}
	before := server.asked.Load()
	got = run(t, strings.Fields("muster validate "+repo+" --inventory "+inventory+" --fetch-charts"))
	if got["exit"] != "0\n" || got["stdout"] != "" {
		t.Errorf("validate: exit %s, stdout %q, want no problem", got["exit"], got["stdout"])
	}
	if n := server.asked.Load() - before; n > 2 {
		t.Errorf("two clusters with one chart made %d requests, want at most index and archive", n)
	}
}

func TestAChartThatCannotBeFetchedFailsItsBundleOnly(t *testing.T) {
	server := serveCharts(t)
	repo, inventory := remoteRepo(t, server, "^3")
	write(t, filepath.Join(repo, "near", "fleet.yaml"), "name: near\n")
	write(t, filepath.Join(repo, "near", "settings.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: near}\n")
	got := run(t, strings.Fields("muster render "+repo+" --inventory "+inventory+" --cluster a --fetch-charts"))
	if got["exit"] != "1\n" || !strings.Contains(got["stdout"], "name: near") {
		t.Errorf("exit %s, stdout:\n%s\nwant 1, and the other bundle", got["exit"], got["stdout"])
	}
	if want := "shop/fleet.yaml:5:3: error: bundle shop on cluster a: helm.chart: "; !strings.HasPrefix(got["stderr"], want) {
		t.Errorf("stderr %q, want it to begin with %q", got["stderr"], want)
	}
}
