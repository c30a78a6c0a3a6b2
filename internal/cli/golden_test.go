package cli_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/cli"
	"github.com/muster-dev/muster/internal/renderer"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected outputs")

// TestMain lets the test program be its own render process, as cmd/muster is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// Each archive holds the files of a directory, a command line in "cmd" and what
// it prints: "stdout", "stderr", "exit". The examples are linked beside the files.
func TestCommandLine(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("find testdata: %d archives, %v", len(archives), err)
	}
	for _, path := range archives {
		absolute, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { runArchive(t, absolute, examples) })
	}
}

func runArchive(t *testing.T, path, examples string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	command, want := unpack(t, archive, dir)
	if err := os.Symlink(examples, filepath.Join(dir, "examples")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("KUBECONFIG", filepath.Join(dir, "no-kubeconfig"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	got := runWith(t, strings.Fields(command), stdinOf(archive))
	for _, name := range strings.Fields(want["files"]) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("%s: %v", command, err)
		}
		got["file "+name] = string(data)
	}
	got["files"] = want["files"]
	if *update {
		rewrite(t, path, archive, got)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", command, diff)
	}
}

// stdinOf is what is piped into the command.
func stdinOf(archive *txtar.Archive) string {
	for _, f := range archive.Files {
		if f.Name == "stdin" {
			return string(f.Data)
		}
	}
	return ""
}

// run runs one command line in this process.
func run(t *testing.T, args []string) map[string]string {
	t.Helper()
	return runWith(t, args, "")
}

func runWith(t *testing.T, args []string, stdin string) map[string]string {
	t.Helper()
	if len(args) == 0 || args[0] != "muster" {
		t.Fatalf("cmd %q: want it to start with muster", args)
	}
	var out, errs bytes.Buffer
	code := cli.Run(context.Background(), "v1.2.3", args[1:], cli.Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	return map[string]string{"stdout": out.String(), "stderr": errs.String(), "exit": fmt.Sprintln(code)}
}

// expectation tells files of an archive that are expected from those that are given.
func expectation(name string) bool {
	return name == "stdout" || name == "stderr" || name == "exit" || name == "files" || strings.HasPrefix(name, "file ")
}

func unpack(t *testing.T, archive *txtar.Archive, dir string) (command string, want map[string]string) {
	t.Helper()
	want = map[string]string{"stdout": "", "stderr": "", "exit": "0\n", "files": ""}
	for _, f := range archive.Files {
		switch {
		case f.Name == "cmd":
			command = string(f.Data)
		case expectation(f.Name):
			want[f.Name] = string(f.Data)
		default:
			file := filepath.Join(dir, f.Name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return command, want
}

// rewrite keeps the given files and replaces what is expected; what is empty is left out.
func rewrite(t *testing.T, path string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	fresh := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if !expectation(f.Name) {
			fresh.Files = append(fresh.Files, f)
		}
	}
	names := []string{"files", "exit", "stdout", "stderr"}
	for _, name := range strings.Fields(got["files"]) {
		names = append(names, "file "+name)
	}
	for _, name := range names {
		if got[name] != "" {
			fresh.Files = append(fresh.Files, txtar.File{Name: name, Data: []byte(got[name])})
		}
	}
	if err := os.WriteFile(path, txtar.Format(fresh), 0o644); err != nil {
		t.Fatal(err)
	}
}
