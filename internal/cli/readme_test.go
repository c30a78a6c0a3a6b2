package cli_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// README's first block is what a newcomer types first; every output in it is
// what the command prints. A last line "..." stands for the rest.
func TestTheReadmesFirstBlockIsTrue(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```console\n")
	block, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("README.md has no console block")
	}
	checked := 0
	for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		args := strings.Fields(strings.TrimPrefix(command, "bin/"))
		if args[0] != "muster" {
			continue // Compiling is what the rest of the tests did.
		}
		checked++
		got := run(t, args)
		compareShown(t, command, want, got["stdout"]+got["stderr"])
	}
	if checked < 4 {
		t.Errorf("checked %d commands, want at least validate, match, why and render", checked)
	}
}

func compareShown(t *testing.T, command, want, got string) {
	t.Helper()
	wanted, shown := trimmedLines(want), trimmedLines(got)
	if n := len(wanted) - 1; n > 0 && wanted[n] == "..." && len(shown) > n {
		wanted, shown = wanted[:n], shown[:n]
	}
	if diff := cmp.Diff(wanted, shown); diff != "" {
		t.Errorf("README.md shows another output of %q (-README +real):\n%s", command, diff)
	}
}

func trimmedLines(text string) []string {
	var out []string
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		out = append(out, strings.TrimRight(line, " "))
	}
	return out
}
