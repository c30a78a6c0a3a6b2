package hub_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
)

// withPassword is a chart that makes a password and asks for the minor version.
func (w *world) withPassword(version string) distribution.Desired {
	d := w.fromGit("db")
	d.Inputs.Kind = bundle.KindHelm
	d.Inputs.Files = []bundle.File{
		{Path: "Chart.yaml", Data: []byte("apiVersion: v2\nname: db\nversion: " + version + "\n")},
		{Path: "templates/a.yaml", Data: []byte(`apiVersion: v1
kind: Secret
metadata: {name: db, labels: {chart: "{{ .Chart.Version }}"}}
data: {password: {{ randAlphaNum 24 | b64enc }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: db}
data: {minor: "{{ .Capabilities.KubeVersion.Minor }}"}
`)},
	}
	return d
}

func (h *hub) password(cluster string) string {
	h.t.Helper()
	_, item := h.contentOn(cluster)
	for _, o := range item.Objects {
		if !strings.HasPrefix(string(o.Key), "/Secret/") {
			continue
		}
		var secret struct {
			Data map[string]string `json:"data"`
		}
		check(h.t, json.Unmarshal(o.Manifest, &secret))
		plain, err := base64.StdEncoding.DecodeString(secret.Data["password"])
		check(h.t, err)
		if fmt.Sprint(o.Volatile) != "[/data/password]" {
			h.t.Errorf("volatile in the content of %s: %v", cluster, o.Volatile)
		}
		return string(plain)
	}
	h.t.Fatalf("no Secret on %s", cluster)
	return ""
}

// processWithRenderer is a process with the real renderer, which remembers nothing.
func (w *world) processWithRenderer() *hub {
	w.t.Helper()
	h := w.process()
	h.useRenderer()
	return h
}

func (h *hub) useRenderer() {
	h.t.Helper()
	pool, err := renderer.New(renderer.Options{Workers: 2})
	check(h.t, err)
	h.t.Cleanup(pool.Close)
	h.deployer.Render = pool.Render
}

func TestARealChartDrawsAPasswordForEachClusterAndKeepsIt(t *testing.T) {
	w := newWorld(t)
	for name, version := range map[string]string{"a": "v1.31.1", "b": "v1.31.9", "c": "v1.32.0"} {
		w.cluster(name, nil)
		w.facts(name, version)
	}
	h := w.processWithRenderer()
	h.deploy(w.withPassword("1.0.0"))
	drawn := map[string]string{}
	for _, cluster := range []string{"a", "b", "c"} {
		drawn[h.password(cluster)] = cluster
	}
	if len(drawn) != 3 {
		t.Errorf("three clusters share passwords: %v", drawn)
	}
	h.calls.take()

	h = w.processWithRenderer()
	h.all()
	h.deploy(w.withPassword("1.0.0"))
	w.facts("a", "v1.31.2")
	h.redeploy("db")
	wantWrites(t, h)

	h.deploy(w.withPassword("1.0.1"))
	w.wantSays("a", "db@2")
	for _, cluster := range []string{"a", "b", "c"} {
		if other := drawn[h.password(cluster)]; other != "" && other != cluster {
			t.Errorf("%s got the password of %s", cluster, other)
		}
	}

	// Only b's answer changed.
	w.facts("b", "v1.32.1")
	h.redeploy("db")
	w.wantSays("a", "db@2")
	w.wantSays("b", "db@3")
	if h.password("b") == h.password("c") {
		t.Error("b shares the password of c, which answers the same")
	}
}
