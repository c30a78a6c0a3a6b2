package cli_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// offline are the commands that need nothing but files: what the README shows
// of them is what they print.
var offline = []string{"validate", "match", "why", "render"}

// The README's console blocks are what a newcomer types first. A last line
// "..." stands for the rest.
func TestTheReadmeShowsRealOutput(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]int{}
	fresh := string(text)
	for _, s := range shownCommands(string(text)) {
		shown[s.args[1]]++
		got := run(t, s.args)
		if *update {
			fresh = strings.Replace(fresh, s.whole(s.output), s.whole(shortened(s.output, got["stdout"]+got["stderr"])), 1)
			continue
		}
		compareShown(t, s.line, s.output, got["stdout"]+got["stderr"])
	}
	for _, command := range offline {
		if shown[command] == 0 {
			t.Errorf("README.md shows no %s", command)
		}
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// shownCommand is a command in a console block and the output below it.
type shownCommand struct {
	line, output string
	args         []string
}

func (s shownCommand) whole(output string) string { return "\n$ " + s.line + "\n" + output }

// shownCommands are those on the examples; others need a cluster or a shell.
func shownCommands(text string) []shownCommand {
	var commands []shownCommand
	for _, part := range strings.Split(text, "```console")[1:] {
		block, _, _ := strings.Cut(part, "```")
		for _, command := range strings.Split(block, "\n$ ")[1:] {
			line, output, _ := strings.Cut(command, "\n")
			args := strings.Fields(strings.TrimPrefix(line, "bin/"))
			if args[0] == "muster" && slices.Contains(offline, args[1]) {
				commands = append(commands, shownCommand{line, output, args})
			}
		}
	}
	return commands
}

// shortened keeps as many lines as were shown if these ended in "...".
func shortened(shown, got string) string {
	wanted, lines := trimmedLines(shown), trimmedLines(got)
	if n := len(wanted) - 1; n > 0 && wanted[n] == "..." && len(lines) > n {
		lines = append(lines[:n], "...")
	}
	return strings.Join(lines, "\n") + shown[len(strings.TrimRight(shown, "\n")):]
}

func compareShown(t *testing.T, command, want, got string) {
	t.Helper()
	if diff := cmp.Diff(trimmedLines(want), trimmedLines(shortened(want, got))); diff != "" {
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
