package renderer_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

var update = flag.Bool("update", false, "rewrite the expected part of golden files")

// TestGolden renders each testdata/*.txtar: "inputs.yaml" holds everything but
// the files, "want" what comes out, the other parts are the bundle.
func TestGolden(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 2})
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("find golden files: %v, %d found", err, len(cases))
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			in, want := goldenInputs(t, archive)
			item, err := pool.Render(context.Background(), in)
			got := printed(t, item, err)
			if *update {
				rewrite(t, name, archive, got)
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func goldenInputs(t *testing.T, archive *txtar.Archive) (in renderer.Inputs, want string) {
	t.Helper()
	in = renderer.Inputs{Bundle: "shop", Kind: bundle.KindRaw}
	for _, f := range archive.Files {
		switch f.Name {
		case "inputs.yaml":
			if err := yaml.UnmarshalStrict(f.Data, &in); err != nil {
				t.Fatal(err)
			}
		case "want":
			want = string(f.Data)
		default:
			in.Files = append(in.Files, bundle.File{Path: f.Name, Data: f.Data})
		}
	}
	return in, want
}

// printed shows an item, or a problem, for people.
func printed(t *testing.T, item content.Item, err error) string {
	t.Helper()
	if err != nil {
		var p *renderer.Problem
		if !errors.As(err, &p) {
			t.Fatalf("not a problem of the inputs: %v", err)
		}
		return fmt.Sprintf("%s %s\n", p.Code, p)
	}
	var out bytes.Buffer
	if options := optionsText(t, item.Options); options != "" {
		out.WriteString("# options " + options + "\n")
	}
	for _, o := range item.Objects {
		out.WriteString("# " + string(o.Key))
		if o.Role != "" {
			fmt.Fprintf(&out, " role=%s", o.Role)
		}
		if o.Wave != 0 {
			fmt.Fprintf(&out, " wave=%d", o.Wave)
		}
		if o.Hook != nil {
			fmt.Fprintf(&out, " hook=%v weight=%d delete=%v", o.Hook.Events, o.Hook.Weight, o.Hook.DeletePolicies)
		}
		text, err := yaml.JSONToYAML(o.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n" + string(text))
	}
	return out.String()
}

func optionsText(t *testing.T, o content.Options) string {
	t.Helper()
	data, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Split(strings.TrimSpace(string(data)), "\n"), ", ")
}

func rewrite(t *testing.T, name string, archive *txtar.Archive, got string) {
	t.Helper()
	kept := archive.Files[:0]
	for _, f := range archive.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	archive.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
