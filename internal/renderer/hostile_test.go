package renderer_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// aliasBomb is 403 bytes that expand to 10^9 values.
func aliasBomb() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text.String()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

const chartYAML = "apiVersion: v2\nname: bomb\nversion: 1.0.0\n"

func template(text string) []bundle.File {
	return []bundle.File{file("Chart.yaml", chartYAML), file("templates/a-good.yaml", configMap("good")), file("templates/bomb.yaml", text), file("templates/z-good.yaml", configMap("last"))}
}

func kustomizeInputs(files ...bundle.File) renderer.Inputs {
	return renderer.Inputs{Bundle: "app", Kind: bundle.KindKustomize, Files: files}
}

func TestHostileInputsAreRefusedWithinLimits(t *testing.T) {
	limits := renderer.Options{CPU: 3 * time.Second, Wall: 2 * time.Minute, Workers: 2}
	cases := map[string]struct {
		in   renderer.Inputs
		opts renderer.Options
		code string
		file string
		says string
	}{
		"aliases in a manifest": {
			in: rawInputs(file("ok.yaml", configMap("a")), file("bomb.yaml", aliasBomb())), opts: limits,
			code: manifest.LimitExceeded, file: "bomb.yaml", says: "aliases",
		},
		"aliases that contain themselves": {
			in: rawInputs(file("bomb.yaml", "a: &a [*a]\n")), opts: limits,
			code: manifest.LimitExceeded, file: "bomb.yaml",
		},
		"aliases in a resource": {
			in: kustomizeInputs(file("kustomization.yaml", "resources: [bomb.txt]"), file("bomb.txt", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n"+aliasBomb())), opts: limits,
			code: manifest.LimitExceeded, file: "bomb.txt", says: "aliases",
		},
		"aliases in a patch inside a kustomization": {
			in: kustomizeInputs(file("kustomization.yaml", "patches:\n- patch: |-\n"+indent(aliasBomb()))), opts: limits,
			code: manifest.LimitExceeded, file: "kustomization.yaml", says: "aliases",
		},
		"aliases in values": {
			in: helmInputs("", append(template(""), file("values.yaml", aliasBomb()))...), opts: limits,
			code: manifest.LimitExceeded, file: "values.yaml", says: "aliases",
		},
		"aliases printed by a template": {
			in: helmInputs("", template(aliasBomb())...), opts: limits,
			code: manifest.LimitExceeded, file: "templates/bomb.yaml", says: "aliases",
		},
		"a template that wants memory": {
			in: helmInputs("", template("{{ len (until 50000000) }}")...), opts: renderer.Options{CPU: 20 * time.Second, Wall: 2 * time.Minute},
			code: manifest.LimitExceeded, file: "templates/bomb.yaml", says: "memory",
		},
		"a template that does not end": {
			in: helmInputs("", template("{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}")...), opts: renderer.Options{CPU: time.Second, Wall: 2 * time.Minute},
			code: manifest.LimitExceeded, file: "templates/bomb.yaml", says: "CPU",
		},
		"a template that outlasts the wall clock": {
			in: helmInputs("", template("{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}")...), opts: renderer.Options{Wall: time.Second},
			code: manifest.LimitExceeded, file: "templates/bomb.yaml", says: "longer than 1s",
		},
		"a template that includes itself": {
			in: helmInputs("", template(`{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}`)...), opts: limits,
			code: manifest.RenderFailed, file: "templates/bomb.yaml",
		},
		"a template that calls itself": {
			in: helmInputs("", template(`{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}`)...), opts: limits,
			code: manifest.RenderFailed, file: "templates/bomb.yaml",
		},
		"a template that prints too much": {
			in: helmInputs("", template(configMap("x")+"  b: "+`{{ repeat 20000000 "x" }}`)...), opts: limits,
			code: manifest.LimitExceeded, file: "templates/bomb.yaml", says: "bytes",
		},
		"a values template that prints too much": {
			in: withContext(helmInputs(`{"a": "${ repeat 20000000 \"x\" }"}`, template("")...)), opts: limits,
			code: manifest.InvalidValues, file: "fleet.yaml", says: "more than 1048576 bytes",
		},
		"a hundred thousand objects": {
			in: rawInputs(file("many.yaml", manyObjects(100_000))), opts: limits,
			code: manifest.LimitExceeded, file: "many.yaml", says: "more than 20000 objects",
		},
		"a hundred thousand objects from a chart": {
			in: helmInputs("", template("{{ range until 100000 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x{{ . }}}\n{{ end }}")...), opts: renderer.Options{},
			code: manifest.LimitExceeded, file: "templates/bomb.yaml", says: "more than 20000 objects",
		},
		"nesting without end": {
			in: rawInputs(file("deep.yaml", "a: "+strings.Repeat("[", 2_000_000))), opts: limits,
			code: manifest.InvalidYAML, file: "deep.yaml",
		},
		"an archive that swells": {
			in: archiveInputs(t, 200<<20), opts: limits,
			code: manifest.LimitExceeded, file: "bomb.tgz", says: "more than 32 MiB",
		},
		"kustomizations that multiply": {
			in: kustomizeInputs(multiplying(13)...), opts: limits,
			code: manifest.LimitExceeded, file: "k3/kustomization.yaml", says: "more than 1000 kustomizations",
		},
		"objects in a kustomization": {
			in: kustomizeInputs(file("kustomization.yaml", "resources: [many.yaml]"), file("many.yaml", manyObjects(25_000))), opts: renderer.Options{CPU: time.Second, Wall: 2 * time.Minute},
			code: manifest.LimitExceeded, file: "kustomization.yaml", says: "CPU",
		},
		"a patch that copies": {
			in: overlaid(rawInputs(file("a.yaml", configMap("a")), file("overlays/x/a_patch.yaml", copying(40)))), opts: renderer.Options{CPU: 20 * time.Second, MemoryBytes: 256 << 20},
			code: manifest.LimitExceeded, file: "overlays/x/a_patch.yaml", says: "memory",
		},
		"aliases in a patch": {
			in: overlaid(rawInputs(file("a.yaml", configMap("a")), file("overlays/x/a_patch.yaml", aliasBomb()))), opts: limits,
			code: manifest.LimitExceeded, file: "overlays/x/a_patch.yaml", says: "aliases",
		},
		"thousands of random values": {
			in: helmInputs("", template(configMap("x")+"{{ range until 2000 }}\n  k{{ . }}: {{ randAlpha 9 }}{{ end }}")...), opts: limits,
			code: manifest.LimitExceeded, file: "templates/bomb.yaml", says: "1000 values",
		},
		"a template in a fetched chart": {
			in: fetched(t, "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"), opts: renderer.Options{CPU: time.Second, Wall: 2 * time.Minute},
			code: manifest.LimitExceeded, file: "bomb-1.0.0.tgz/templates/bomb.yaml", says: "CPU",
		},
		"an object from the hub": {
			in: fromTheHub(rawInputs(file("a.yaml", configMap("a")))), opts: limits,
			code: manifest.InvalidObject, file: "downstreamResources",
		},
		"a name with a path in it": {
			in: rawInputs(file("a.yaml", configMap("../../x"))), opts: limits,
			code: manifest.InvalidObject, file: "a.yaml",
		},
		"a chart outside the bundle": {
			in: withChart(helmInputs(""), "../other"), opts: limits,
			code: manifest.PathRefused, file: "fleet.yaml",
		},
		"a kustomization outside the bundle": {
			in: withDir(kustomizeInputs(), "../../etc"), opts: limits,
			code: manifest.PathRefused, file: "fleet.yaml",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they burn what they are allowed to
			_, err := newPool(t, c.opts).Render(context.Background(), c.in)
			var p *renderer.Problem
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want a problem", err)
			}
			if p.Code != c.code || p.File != c.file || !strings.Contains(p.Message, c.says) {
				t.Errorf("got %s in %q: %s\nwant %s in %q saying %q", p.Code, p.File, p.Message, c.code, c.file, c.says)
			}
		})
	}
}

func TestABombDoesNotDisturbTheNextBundle(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 1, CPU: 2 * time.Second})
	for range 2 {
		if _, err := pool.Render(context.Background(), helmInputs("", template("{{ len (until 50000000) }}")...)); err == nil {
			t.Fatal("the bomb rendered")
		}
		item := mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
		if len(item.Objects) != 1 {
			t.Fatalf("got %d objects, want 1", len(item.Objects))
		}
	}
}

// multiplying are n directories of which each includes the next one twice.
func multiplying(n int) []bundle.File {
	files := []bundle.File{file("kustomization.yaml", "resources: [k0]")}
	for i := range n - 1 {
		files = append(files, file(fmt.Sprintf("k%d/kustomization.yaml", i), fmt.Sprintf("resources: [../k%d, ../k%d]", i+1, i+1)))
	}
	return append(files, file(fmt.Sprintf("k%d/kustomization.yaml", n-1), "namePrefix: x-"))
}

// copying is a JSON patch that doubles a value n times.
func copying(n int) string {
	var text strings.Builder
	text.WriteString("- {op: add, path: /data, value: {a: {b: '" + strings.Repeat("x", 1000) + "'}}}\n")
	for i := range n {
		fmt.Fprintf(&text, "- {op: copy, from: /data, path: /data/a/c%d}\n", i)
	}
	return text.String()
}

func overlaid(in renderer.Inputs) renderer.Inputs {
	in.Options.YAML = &v1alpha1.YAMLOptions{Overlays: []string{"x"}}
	return in
}

func fromTheHub(in renderer.Inputs) renderer.Inputs {
	in.Copied = raw(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "../../x"}}`)
	return in
}

// fetched is a chart from a registry with this template.
func fetched(t *testing.T, text string) renderer.Inputs {
	t.Helper()
	in := withChart(helmInputs(""), "oci://example.com/charts/bomb")
	version := "1.0.0"
	in.Options.Helm.Version = &version
	ref := bundle.ChartRef{Chart: "oci://example.com/charts/bomb", Version: version}
	in.Files = []bundle.File{{Path: ref.File(), Data: chartArchive(t, map[string][]byte{"bomb/Chart.yaml": []byte(chartYAML), "bomb/templates/bomb.yaml": []byte(text)})}}
	return in
}

func manyObjects(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
	}
	return text.String()
}

func withContext(in renderer.Inputs) renderer.Inputs {
	in.Context = clusterContext("eu-1")
	return in
}

func withChart(in renderer.Inputs, chart string) renderer.Inputs {
	in.Options.Helm.Chart = &chart
	return in
}

func withDir(in renderer.Inputs, dir string) renderer.Inputs {
	in.Options.Kustomize = kustomizeIn(dir)
	return in
}

// archiveInputs is a chart whose archive of a few KiB holds size zeros.
func archiveInputs(t *testing.T, size int64) renderer.Inputs {
	t.Helper()
	files := map[string][]byte{"bomb/Chart.yaml": []byte(chartYAML)}
	zeros := make([]byte, 4<<20)
	for i := range size / int64(len(zeros)) {
		files[fmt.Sprintf("bomb/files/%d", i)] = zeros
	}
	in := withChart(helmInputs(""), "bomb.tgz")
	in.Files = []bundle.File{{Path: "bomb.tgz", Data: chartArchive(t, files)}}
	return in
}

func chartArchive(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	archive := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}
