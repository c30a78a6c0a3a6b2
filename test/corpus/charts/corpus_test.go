package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/internal/lab/tgz"
	"github.com/muster-dev/muster/pkg/bundle"
)

// specimen is a chart of the corpus with the values it is rendered with.
type specimen struct {
	name string
	// files of the chart, archives packed.
	files []bundle.File
	// sets of values, as YAML, by name; those called refused-* no chart accepts.
	sets map[string][]byte
}

// corpus reads testdata: in each txtar "chart/" is the chart, "sets/" values,
// and "pack/<archive>/" what is packed into an archive of the chart.
func corpus(t *testing.T) []specimen {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 12 {
		t.Fatalf("%d charts in testdata, the corpus has at least 12", len(names))
	}
	var all []specimen
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, read(t, strings.TrimSuffix(filepath.Base(name), ".txtar"), archive))
	}
	return all
}

func read(t *testing.T, name string, archive *txtar.Archive) specimen {
	t.Helper()
	s := specimen{name: name, sets: map[string][]byte{}}
	packs := map[string][]txtar.File{}
	for _, f := range archive.Files {
		kind, rest, _ := strings.Cut(f.Name, "/")
		switch kind {
		case "chart":
			s.files = append(s.files, bundle.File{Path: rest, Data: f.Data})
		case "sets":
			s.sets[strings.TrimSuffix(rest, ".yaml")] = f.Data
		case "pack":
			target, within, _ := strings.Cut(rest, ".tgz/")
			packs[target+".tgz"] = append(packs[target+".tgz"], txtar.File{Name: within, Data: f.Data})
		default:
			t.Fatalf("%s: nobody reads %s", name, f.Name)
		}
	}
	for target, files := range packs {
		s.files = append(s.files, bundle.File{Path: target, Data: pack(t, files)})
	}
	if len(s.files) == 0 || len(s.sets) < 2 {
		t.Fatalf("%s: %d files and %d sets of values", name, len(s.files), len(s.sets))
	}
	return s
}

func pack(t *testing.T, files []txtar.File) []byte {
	t.Helper()
	packed := make([]tgz.File, len(files))
	for i, f := range files {
		packed[i] = tgz.File{Name: f.Name, Text: string(f.Data)}
	}
	return tgz.Pack(t, packed...)
}

// fromDisk has Helm's own loader read the chart, as its command does.
func (s specimen) fromDisk(t *testing.T, dir string) *chart.Chart {
	t.Helper()
	for _, f := range s.files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s specimen) values(t *testing.T, set string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal(s.sets[set], &values); err != nil {
		t.Fatalf("%s: sets/%s.yaml: %v", s.name, set, err)
	}
	return values
}
