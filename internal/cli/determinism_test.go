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
	const fleet = " repo --inventory inventory.yaml"
	for _, command := range []string{
		"muster validate repo -v -o json",
		"muster validate" + fleet,
		"muster match" + fleet,
		"muster match" + fleet + " -o json",
		"muster render" + fleet + " --cluster us-1 --with-metadata",
		"muster render" + fleet + " --all-clusters -o out",
		"muster why repo volatile eu-1 --inventory inventory.yaml",
		"muster why repo allmatches eu-1 --inventory inventory.yaml -o json",
	} {
		again := command
		if !strings.HasPrefix(command, "muster match") {
			command, again = command+" --workers 1", command+" --workers 2"
		}
		if diff := cmp.Diff(whole(t, command), whole(t, again)); diff != "" {
			t.Errorf("%s prints something else the second time (-first +second):\n%s", command, diff)
		}
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
