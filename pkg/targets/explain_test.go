package targets_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestExplanationsReadAsTheyShould compares what people read: decision, trace,
// what would change it. A file holds a bundle (spec.yaml, labels.yaml, where),
// clusters.yaml and what else is there, and want.
func TestExplanationsReadAsTheyShould(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := explainAll(t, archive)
			if *update {
				rewrite(t, file, archive, got)
				return
			}
			if diff := cmp.Diff(section(archive, "want"), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

func explainAll(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	in := targets.Input{Workspace: "team", Name: "web", Where: positions(t, section(a, "where"))}
	read(t, a, "spec.yaml", &in.Spec)
	read(t, a, "labels.yaml", &in.BundleLabels)
	read(t, a, "mappings.yaml", &in.Mappings)
	read(t, a, "policies.yaml", &in.Policies)
	var clusters []targets.Cluster
	read(t, a, "clusters.yaml", &clusters)
	var groups []struct {
		Workspace, Name string
		Labels          map[string]string
		Spec            v1alpha1.ClusterGroupSpec
	}
	read(t, a, "groups.yaml", &groups)
	var known []targets.Group
	for i := range groups {
		known = append(known, targets.Group{Workspace: groups[i].Workspace, Name: groups[i].Name, Labels: groups[i].Labels, Selector: &groups[i].Spec})
	}
	compiled, err := targets.Compile(in)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, cl := range clusters {
		tell(&out, compiled.Explain(cl, targets.NewGroups(known)))
	}
	return out.String()
}

func tell(out *strings.Builder, m targets.Match) {
	switch {
	case m.Err != nil:
		fmt.Fprintf(out, "%s/%s: error: %v\n", m.Workspace, m.Cluster, m.Err)
	case m.Matched:
		fmt.Fprintf(out, "%s/%s: matched by %s, customized by %v\n", m.Workspace, m.Cluster, m.Target, m.Customizations)
	default:
		fmt.Fprintf(out, "%s/%s: not matched: %s\n", m.Workspace, m.Cluster, m.Reason)
	}
	line(out, "  would match if: ", m.WouldMatchIf)
	line(out, "  the namespace must have: ", m.NamespaceSelector)
	if m.Where.Line > 0 {
		fmt.Fprintf(out, "  decided at: %s:%d\n", m.Where.File, m.Where.Line)
	}
	for _, s := range m.Trace {
		fmt.Fprintf(out, "  %d. %s", s.Step, s.Rule)
		if s.Line > 0 {
			fmt.Fprintf(out, " (%s:%d)", s.File, s.Line)
		}
		fmt.Fprintf(out, ": %s\n", s.Result)
		line(out, "     term: ", s.Term)
		line(out, "     got: ", s.Got)
		line(out, "     want: ", s.Want)
	}
}

func line(out *strings.Builder, label, text string) {
	if text != "" {
		out.WriteString(label + text + "\n")
	}
}

// positions reads lines such as "targets[0] apps/fleet.yaml:7".
func positions(t *testing.T, text string) map[string]bundle.Position {
	t.Helper()
	out := map[string]bundle.Position{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line == "" {
			continue
		}
		key, at, _ := strings.Cut(line, " ")
		file, number, _ := strings.Cut(at, ":")
		p := bundle.Position{File: file}
		if _, err := fmt.Sscan(number, &p.Line); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out[key] = p
	}
	return out
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func read(t *testing.T, a *txtar.Archive, name string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(section(a, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func rewrite(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	kept := a.Files[:0]
	for _, f := range a.Files {
		if f.Name != "want" {
			kept = append(kept, f)
		}
	}
	a.Files = append(kept, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
