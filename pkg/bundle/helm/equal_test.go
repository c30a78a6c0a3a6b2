package helm_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
)

// TestChartsRenderAsHelmRendersThem compares with Helm's own loader, engine and
// sorter, reading the same chart from disk.
func TestChartsRenderAsHelmRendersThem(t *testing.T) {
	charts := map[string]func(t *testing.T, dir string){
		"the chart helm create makes": func(t *testing.T, dir string) {
			made, err := chartutil.Create("web", dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(made, filepath.Join(dir, "chart")); err != nil {
				t.Fatal(err)
			}
		},
		"subcharts, globals, imports": unpack("subcharts.txtar"),
		"files, tpl, capabilities":    unpack("files.txtar"),
	}
	values := map[string]any{"replicaCount": 3.0, "ingress": map[string]any{"enabled": true}, "global": map[string]any{"region": "eu"}, "big": 1e7}
	for name, make := range charts {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			make(t, dir)
			root := filepath.Join(dir, "chart")
			got := ours(t, root, clone(t, values))
			want := helms(t, root, clone(t, values))
			if len(want) == 0 {
				t.Fatal("helm renders nothing, so this test proves nothing")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-helm +ours):\n%s", diff)
			}
		})
	}
}

func unpack(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		archive, err := txtar.ParseFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			path := filepath.Join(dir, "chart", f.Name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func clone(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	data, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := yaml.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// ours renders the chart from memory.
func ours(t *testing.T, root string, values map[string]any) []string {
	t.Helper()
	var files []bundle.File
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		files = append(files, bundle.File{Path: filepath.ToSlash(relative), Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := helm.Render(files, helm.Release{Name: "rel", Namespace: "ns", Values: values})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, o := range result.Objects {
		list = append(list, normal(t, o.Body))
	}
	slices.Sort(list)
	return list
}

// helms renders it as `helm template --include-crds` does.
func helms(t *testing.T, root string, values map[string]any) []string {
	t.Helper()
	c, err := loader.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := chartutil.ProcessDependenciesWithMerge(c, values); err != nil {
		t.Fatal(err)
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: helm.DefaultKubeVersion, Major: "1", Minor: "36"}
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true}, capabilities)
	if err != nil {
		t.Fatal(err)
	}
	printed, err := engine.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	for name := range printed {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(printed, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(printed, nil, releaseutil.InstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, h := range hooks {
		list = append(list, normalText(t, h.Manifest))
	}
	for _, m := range manifests {
		if text := normalText(t, m.Content); text != "null\n" { // a document of comments installs nothing
			list = append(list, text)
		}
	}
	for _, crd := range c.CRDObjects() {
		list = append(list, normalText(t, string(crd.File.Data)))
	}
	slices.Sort(list)
	return list
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
}

func normalText(t *testing.T, text string) string {
	t.Helper()
	var body map[string]any
	unmarshal(t, text, &body)
	return normal(t, body)
}

func normal(t *testing.T, body map[string]any) string {
	t.Helper()
	text, err := yaml.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
