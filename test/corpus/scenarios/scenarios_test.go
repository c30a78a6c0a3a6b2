package scenarios_test

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
	"golang.org/x/tools/txtar"

	"github.com/muster-dev/muster/internal/cli"
	"github.com/muster-dev/muster/internal/renderer"
)

var update = flag.Bool("update", false, "rewrite the expected outputs")

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// Each archive is one row: a number and a title, the files of a directory, the
// commands of "script", and in "output" what they print.
func TestScenarios(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 20 {
		t.Fatalf("find testdata: %d archives, %v", len(archives), err)
	}
	for _, name := range archives {
		absolute, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { scenario(t, absolute) })
	}
}

func scenario(t *testing.T, name string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script, want := unpack(t, archive, dir)
	t.Chdir(dir)
	t.Setenv("KUBECONFIG", filepath.Join(dir, "no-kubeconfig"))
	var got strings.Builder
	for command := range strings.Lines(script) {
		run(t, &got, strings.Fields(command))
	}
	if *update {
		archive.Files = append(given(archive), txtar.File{Name: "output", Data: []byte(got.String())})
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("%s(-want +got):\n%s", archive.Comment, diff)
	}
}

// run adds a command and what it prints to the transcript.
func run(t *testing.T, to *strings.Builder, args []string) {
	t.Helper()
	if len(args) == 0 || args[0] != "muster" {
		t.Fatalf("script line %q: want it to start with muster", args)
	}
	var out, errs bytes.Buffer
	code := cli.Run(context.Background(), "v1.2.3", args[1:], cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	fmt.Fprintf(to, "$ %s\n%s", strings.Join(args, " "), out.String())
	for line := range strings.Lines(errs.String()) {
		to.WriteString("stderr: " + line)
	}
	if code != 0 {
		fmt.Fprintf(to, "exit: %d\n", code)
	}
}

func given(archive *txtar.Archive) []txtar.File {
	var files []txtar.File
	for _, f := range archive.Files {
		if f.Name != "output" {
			files = append(files, f)
		}
	}
	return files
}

func unpack(t *testing.T, archive *txtar.Archive, dir string) (script, want string) {
	t.Helper()
	for _, f := range archive.Files {
		switch f.Name {
		case "script":
			script = string(f.Data)
		case "output":
			want = string(f.Data)
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
	return script, want
}
