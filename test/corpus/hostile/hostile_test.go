package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/targets"
)

// fewest is how many inputs the corpus has to hold: a test that lost its data must fail.
const fewest = 120

// memoryRoom is how far the manager's memory may rise above its baseline.
const memoryRoom = 50 << 20

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// input is one hostile repository.
type input struct {
	tree fs.FS
	// paths of the GitRepo; none means the bundle in app and the neighbour.
	paths []string
	// resources make it a hand-made Bundle instead of a repository.
	resources []v1alpha1.BundleResource
	// refused is the file the reason names: a whole path, a directory when it ends
	// in a slash, or "-" for a fault that lies in no file.
	refused string
	// says is part of the reason, in any case.
	says string
}

// TestEveryHostileInputIsRefused runs the corpus in one process, as a manager would meet it.
func TestEveryHostileInputIsRefused(t *testing.T) {
	inputs := written(t)
	for name, in := range made(t) {
		if _, twice := inputs[name]; twice {
			t.Fatalf("two inputs are called %s", name)
		}
		inputs[name] = in
	}
	if len(inputs) < fewest {
		t.Fatalf("the corpus holds %d inputs, want at least %d", len(inputs), fewest)
	}
	pool, err := renderer.New(renderer.Options{CPU: 3 * time.Second, Wall: 30 * time.Second, Workers: 1, Files: true})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	manager{t, pool}.neighbourRenders(t, input{tree: repository(nil)})
	base := resident(t)
	worst, worstName := int64(0), ""
	for _, name := range sortedNames(inputs) {
		t.Run(name, func(t *testing.T) { manager{t, pool}.meets(t, inputs[name]) })
		rise := highest(t) - base
		if rise > memoryRoom {
			t.Errorf("memory rose by %.0f MiB over %.0f MiB at %s, at most %.0f MiB are allowed", mib(rise), mib(base), name, mib(memoryRoom))
		}
		if rise > worst {
			worst, worstName = rise, name
		}
	}
	t.Logf("%d inputs; memory rose by at most %.1f MiB over %.1f MiB, at %s", len(inputs), mib(worst), mib(base), worstName)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

func sortedNames(inputs map[string]input) []string {
	var names []string
	for name := range inputs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// manager does with a repository what the hub does: load, match, render.
type manager struct {
	tb   testing.TB
	pool *renderer.Pool
}

func (m manager) meets(t *testing.T, in input) {
	reasons := m.refusals(in)
	if len(reasons) == 0 {
		t.Fatal("it was accepted")
	}
	if !slices.ContainsFunc(reasons, in.explained) {
		t.Errorf("no reason names %q and says %q; the reasons are:\n%s", in.refused, in.says, list(reasons))
	}
	for _, p := range reasons {
		if len(p.Message) > 4096 {
			t.Errorf("a reason of %d bytes is not to be read: %.200s...", len(p.Message), p.Message)
		}
	}
	m.neighbourRenders(t, in)
}

func list(reasons []bundle.Problem) string {
	var text strings.Builder
	for _, p := range reasons {
		fmt.Fprintf(&text, "  %s:%d: %.300s\n", p.File, p.Line, p.Message)
	}
	return text.String()
}

func (in input) explained(p bundle.Problem) bool {
	if !strings.Contains(strings.ToLower(p.Message), strings.ToLower(in.says)) || p.Message == "" {
		return false
	}
	switch {
	case in.refused == "-":
		return true
	case strings.HasSuffix(in.refused, "/"):
		return strings.HasPrefix(p.File+"/", in.refused)
	}
	return p.File == in.refused
}

// refusals are the errors of loading and rendering everything but the neighbour.
func (m manager) refusals(in input) []bundle.Problem {
	if in.resources != nil {
		b, problems := bundle.HandMade("app", v1alpha1.BundleSpec{Resources: in.resources})
		if reasons := onlyErrors(problems); len(reasons) > 0 {
			return reasons
		}
		return m.render(b)
	}
	result := load(in)
	reasons := onlyErrors(result.Problems)
	for _, b := range result.Bundles {
		if b.Path != "neighbour" {
			reasons = append(reasons, m.render(b)...)
		}
	}
	return reasons
}

func load(in input) bundle.Result {
	paths := in.paths
	if paths == nil {
		paths = []string{"neighbour"}
		if _, err := fs.Stat(in.tree, "app"); err == nil {
			paths = append(paths, "app")
		}
	}
	return bundle.Load(bundle.DirTree(in.tree), bundle.Repo{Name: "hostile", Spec: v1alpha1.GitRepoSpec{Paths: paths}})
}

func onlyErrors(problems []bundle.Problem) []bundle.Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p bundle.Problem) bool { return p.Severity != bundle.Error })
}

// render renders for every customization that the bundle has, and for none.
func (m manager) render(b bundle.Bundle) []bundle.Problem {
	var reasons []bundle.Problem
	options := []v1alpha1.BundleOptions{b.Spec.BundleOptions}
	for _, c := range b.Spec.TargetCustomizations {
		options = append(options, bundle.Merge(b.Spec.BundleOptions, c.BundleOptions))
	}
	for _, o := range options {
		_, err := m.pool.Render(context.Background(), renderer.Inputs{
			Bundle: b.Name, Kind: bundle.KindOf(b.Files, o), Files: b.Files, Options: o,
			Context: &targets.Context{ClusterNamespace: "default", ClusterName: "eu-1", ClusterLabels: map[string]string{"env": "prod"}},
		})
		var p *renderer.Problem
		if errors.As(err, &p) {
			found := p.Problem
			found.File = m.fileOf(b, found)
			reasons = append(reasons, found)
		} else if err != nil {
			m.tb.Errorf("render %s: %v", b.Name, err)
		}
	}
	return reasons
}

// fileOf is where the user is sent: what names no file speaks of the bundle's options.
func (m manager) fileOf(b bundle.Bundle, p bundle.Problem) string {
	if p.File == "" {
		return path.Join(b.Path, b.OptionsFile)
	}
	return path.Join(b.Path, p.File)
}

func (m manager) neighbourRenders(t *testing.T, in input) {
	t.Helper()
	if in.resources != nil || in.paths != nil {
		in = input{tree: repository(nil)}
	}
	for _, b := range load(in).Bundles {
		if b.Path != "neighbour" {
			continue
		}
		if reasons := m.render(b); len(reasons) > 0 {
			t.Errorf("the bundle beside it does not render: %s", list(reasons))
		}
		return
	}
	t.Error("the bundle beside it is not there")
}

// repository adds the neighbour to the files of an input.
func repository(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{"neighbour/a.yaml": text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: neighbour}\n")}
	for name, data := range files {
		tree[name] = text(data)
	}
	return tree
}

func text(data string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(data), Mode: 0o644} }

// written reads the inputs that fit into a text file: a header, then files.
func written(t *testing.T) map[string]input {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]input{}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		for _, f := range archive.Files {
			files[f.Name] = string(f.Data)
		}
		in := input{tree: repository(files)}
		readHeader(t, name, string(archive.Comment), &in)
		inputs[strings.TrimSuffix(filepath.Base(name), ".txtar")] = in
	}
	return inputs
}

func readHeader(t *testing.T, name, header string, in *input) {
	t.Helper()
	for line := range strings.Lines(header) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case ok && key == "refused":
			in.refused = value
		case ok && key == "says":
			in.says = value
		case ok && key == "paths":
			in.paths = []string{value}
		case key != "":
			t.Fatalf("%s: cannot read the line %q", name, line)
		}
	}
	if in.refused == "" {
		t.Fatalf("%s says not which file is refused", name)
	}
}

// resident gives memory back and returns what this process holds; the kernel's
// record of the highest is started anew.
func resident(t *testing.T) int64 {
	t.Helper()
	settle()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatalf("start the record of the highest memory anew: %v", err)
	}
	return statusBytes(t, "VmRSS:")
}

// highest returns the most that this process held since the last call, and starts anew.
func highest(t *testing.T) int64 {
	t.Helper()
	most := statusBytes(t, "VmHWM:")
	resident(t)
	return most
}

func statusBytes(t *testing.T, key string) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var kib int64
		if rest, ok := strings.CutPrefix(line, key); ok {
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				t.Fatalf("read %s: %v", key, err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in /proc/self/status", key)
	return 0
}

func settle() {
	runtime.GC()
	freeOSMemory()
}
