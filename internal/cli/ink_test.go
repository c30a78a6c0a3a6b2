package cli_test

import (
	"testing"

	"github.com/muster-dev/muster/internal/cli"
)

func TestSeveritiesAreColouredOnTerminalsOnly(t *testing.T) {
	for word, want := range map[string]string{"error": "\x1b[1;31merror\x1b[0m", "warning": "\x1b[1;33mwarning\x1b[0m", "info": "info"} {
		if got := cli.SeverityOn(true, word); got != want {
			t.Errorf("%s on a terminal is %q, want %q", word, got, want)
		}
		if got := cli.SeverityOn(false, word); got != word {
			t.Errorf("%s elsewhere is %q, want it plain", word, got)
		}
	}
}
