package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Every command prints the same bytes each time, however many renders run at
// once: over a repository with every feature, and a fleet that has each of its cases.
func TestOutputIsTheSameEachTime(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/everything/everything.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range archive.Files {
		write(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	t.Chdir(dir)
	for _, command := range []string{
		"muster validate repo",
		"muster validate repo -v -o json",
		"muster validate repo --inventory inventory.yaml",
		"muster match repo --inventory inventory.yaml",
		"muster match repo --inventory inventory.yaml -o json",
		"muster render repo --inventory inventory.yaml --cluster eu-1",
		"muster render repo --inventory inventory.yaml --cluster us-1 --with-metadata",
		"muster render repo --inventory inventory.yaml --all-clusters -o out",
		"muster why repo volatile eu-1 --inventory inventory.yaml",
		"muster why repo allmatches eu-1 --inventory inventory.yaml -o json",
	} {
		first := whole(t, command)
		if !strings.HasPrefix(command, "muster match") && !strings.HasSuffix(command, "--workers") {
			compareRuns(t, command+" --workers 2", first)
			compareRuns(t, command+" --workers 1", first)
		}
		compareRuns(t, command, first)
	}
}

func compareRuns(t *testing.T, command string, first map[string]string) {
	t.Helper()
	if diff := cmp.Diff(first, whole(t, command)); diff != "" {
		t.Errorf("%s prints something else the second time (-first +second):\n%s", command, diff)
	}
}

// whole is what a command prints and the files it writes below out.
func whole(t *testing.T, command string) map[string]string {
	t.Helper()
	if err := os.RemoveAll("out"); err != nil {
		t.Fatal(err)
	}
	got := run(t, strings.Fields(command))
	if got["stdout"]+got["stderr"] == "" && !strings.Contains(command, " -o out") {
		t.Errorf("%s prints nothing", command)
	}
	err := filepath.WalkDir("out", func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		data, err := os.ReadFile(name)
		got["file "+name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
