package targets_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// TestWhatIsSaidToHelpHelps does to a cluster what wouldMatchIf says, and looks again.
func TestWhatIsSaidToHelpHelps(t *testing.T) {
	helped := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		spec := v1alpha1.BundleSpec{}
		for i := range 1 + r.IntN(4) {
			spec.Targets = append(spec.Targets, v1alpha1.Target{Criteria: satisfiable(r, fmt.Sprint("t", i))})
		}
		c, cl := compile(t, spec), randomCluster(r)
		m := c.Explain(cl, nil)
		if m.Matched {
			continue
		}
		after := heed(t, cl, m.WouldMatchIf)
		if now := c.Explain(after, nil); !now.Matched {
			t.Fatalf("seed %d: %q was said of %v; %v is still not matched: %s", seed, m.WouldMatchIf, cl.Labels, after.Labels, now.Reason)
		}
		helped++
	}
	if helped < 100 {
		t.Errorf("only %d clusters were in need of help", helped)
	}
}

// satisfiable criteria ask one thing of each label, so that some cluster meets them.
func satisfiable(r *rand.Rand, name string) v1alpha1.Criteria {
	s := labels("env", pick(r, "a", "b"))
	if r.IntN(2) == 0 {
		s = labels("env", pick(r, "a", "b"), "region", "c")
	}
	e := metav1.LabelSelectorRequirement{Key: "tier", Operator: pick[metav1.LabelSelectorOperator](r, "In", "NotIn", "Exists", "DoesNotExist")}
	if e.Operator == "In" || e.Operator == "NotIn" {
		e.Values = []string{"a", "b"}
	}
	s.MatchExpressions = []metav1.LabelSelectorRequirement{e}
	c := v1alpha1.Criteria{Name: name, ClusterSelector: s}
	if r.IntN(3) == 0 {
		c.ClusterName = "c7"
	}
	return c
}

var advice = regexp.MustCompile(`^the cluster (?:were named (\S+)|had no label (\S+)|had a label (\S+)|had (\S+)=(\S+)|had (\S+) in \((\w+),\w+\)|had (\S+) notin \(a,b\))$`)

func heed(t *testing.T, cl targets.Cluster, text string) targets.Cluster {
	t.Helper()
	text, _, _ = strings.Cut(text, " (t")
	cl.Labels = maps.Clone(cl.Labels)
	for _, one := range strings.Split(text, " and ") {
		a := advice.FindStringSubmatch(one)
		switch {
		case a == nil:
			t.Fatalf("%q in %q cannot be followed", one, text)
		case a[1] != "":
			cl.Name = a[1]
		case a[2] != "":
			delete(cl.Labels, a[2])
		case a[3] != "":
			cl.Labels[a[3]] = "any"
		case a[4] != "":
			cl.Labels[a[4]] = a[5]
		case a[6] != "":
			cl.Labels[a[6]] = a[7]
		default:
			cl.Labels[a[8]] = "other"
		}
	}
	return cl
}
