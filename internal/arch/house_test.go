package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/arch"
)

// listed is the part of `go list -json` that the rules need.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

// list asks Go for packages; -e, so that a package that does not compile is
// judged by its imports all the same and reported by its own tests.
func list(t *testing.T, args ...string) []listed {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Dir,GoFiles,Imports"}, args...)...)
	command.Dir = filepath.Join("..", "..")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		packages = append(packages, p)
	}
}

func TestNoPackageImportsAHigherOne(t *testing.T) {
	var packages []arch.Package
	for _, p := range list(t, "./...") {
		packages = append(packages, arch.Package{Path: p.ImportPath, Imports: p.Imports})
	}
	if len(packages) < 2 {
		t.Fatalf("go list found %d packages, so nothing was checked", len(packages))
	}
	for _, finding := range arch.Check(arch.Module, arch.Rules(), arch.Impure(), packages) {
		t.Error(finding)
	}
}

func TestDecisionsNeitherAskForTheTimeNorStartGoroutines(t *testing.T) {
	checked := 0
	for _, p := range list(t, "./pkg/...") {
		if !arch.Pure(arch.Module, arch.Rules(), p.ImportPath) {
			continue
		}
		for _, name := range p.GoFiles {
			checked++
			checkFile(t, filepath.Join(p.Dir, name))
		}
	}
	if checked == 0 {
		t.Fatal("no file of a pure package was found, so nothing was checked")
	}
}

func checkFile(t *testing.T, file string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := arch.CheckSource(file, source)
	if err != nil {
		t.Error(err)
	}
	for _, finding := range findings {
		t.Error(finding)
	}
}

func TestTheAgentLinksNoRendererAndNoFetcher(t *testing.T) {
	dependencies := list(t, "-deps", "./cmd/muster-agent")
	if !slices.ContainsFunc(dependencies, func(p listed) bool { return strings.HasPrefix(p.ImportPath, arch.Module+"/pkg/agent") }) {
		t.Fatal("cmd/muster-agent does not exist or does not link pkg/agent, so nothing was checked")
	}
	for _, p := range dependencies {
		if forbidden, found := arch.Below(p.ImportPath, arch.NotInAgent()); found {
			t.Errorf("cmd/muster-agent links %s: nothing of %s may be in the agent", p.ImportPath, forbidden)
		}
	}
}
