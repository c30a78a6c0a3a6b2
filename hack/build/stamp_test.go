package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a small module and a binary that was built from it.
func module(t *testing.T) (root string, built target) {
	t.Helper()
	root = t.TempDir()
	for name, content := range map[string]string{
		"m/go.mod": "module m", "m/go.sum": "", "m/main.go": "package main", "bin/m": "binary",
	} {
		write(t, filepath.Join(root, name), content)
	}
	built = target{Name: "m", Dir: "m", Packages: []string{"."}, Output: "bin/m", Stamped: true}
	key, fresh, err := built.upToDate(t.Context(), root)
	if err != nil || fresh {
		t.Fatalf("before any build: fresh %v, error %v; want false and none", fresh, err)
	}
	if err := built.remember(root, key); err != nil {
		t.Fatal(err)
	}
	return root, built
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAStampHoldsUntilSomethingThatDecidesTheResultChanges(t *testing.T) {
	tests := map[string]struct {
		change func(t *testing.T, root string, built *target)
		want   bool
	}{
		"nothing":      {change: func(*testing.T, string, *target) {}, want: true},
		"a test":       {change: func(t *testing.T, root string, _ *target) { write(t, root+"/m/main_test.go", "package main") }, want: true},
		"a source":     {change: func(t *testing.T, root string, _ *target) { write(t, root+"/m/main.go", "package main // x") }},
		"a new source": {change: func(t *testing.T, root string, _ *target) { write(t, root+"/m/other.go", "package main") }},
		"a dependency": {change: func(t *testing.T, root string, _ *target) { write(t, root+"/m/go.sum", "x v1") }},
		"a flag":       {change: func(_ *testing.T, _ string, built *target) { built.Flags = []string{"-trimpath"} }},
		"the binary is gone": {change: func(t *testing.T, root string, _ *target) {
			if err := os.Remove(root + "/bin/m"); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root, built := module(t)
			tt.change(t, root, &built)
			_, got, err := built.upToDate(t.Context(), root)
			if err != nil || got != tt.want {
				t.Errorf("upToDate = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestKubernetesVersionIsTheOneThatIsCompiled(t *testing.T) {
	gomod, err := os.ReadFile("../../controlplane/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\tk8s.io/kubernetes " + kubernetesVersion + "\n"; !strings.Contains(string(gomod), want) {
		t.Errorf("controlplane/go.mod does not require %q, but that is what /version would say", want)
	}
}

func TestLinksReplaceOlderOnes(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/bin/render", "new")
	write(t, root+"/bin/race/render", "old")
	if err := (target{Output: "bin/race/", Links: []string{"bin/render"}}).link(root); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(root + "/bin/race/render"); err != nil || string(got) != "new" {
		t.Errorf("bin/race/render holds %q, %v; want %q", got, err, "new")
	}
}

func TestUnknownTargetsAreNamed(t *testing.T) {
	all := []target{{Name: "a"}, {Name: "b", OnRequest: true}}
	if _, err := choose(all, []string{"c"}); err == nil || err.Error() != "unknown target in c; there are a, b" {
		t.Errorf("choose(c) = %v", err)
	}
	if got, err := choose(all, nil); err != nil || len(got) != 1 || got[0].Name != "a" {
		t.Errorf("choose() = %v, %v; want only what need not be named", got, err)
	}
}
