package cli_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/muster-dev/muster/internal/cli"
)

func TestAnInterruptEndsOfflineCommandsToo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, command := range []string{
		"validate ../../examples/fleet-repo --inventory ../../examples/inventory.yaml",
		"render ../../examples/fleet-repo --inventory ../../examples/inventory.yaml --cluster eu-1",
		"match ../../examples/fleet-repo --inventory ../../examples/inventory.yaml",
		"match ../../examples/fleet-repo --inventory ../../examples/inventory.yaml -o json",
		"why ../../examples/fleet-repo edge-proxy eu-1 --inventory ../../examples/inventory.yaml",
	} {
		var out, errs bytes.Buffer
		code := cli.Run(ctx, "v1", strings.Fields(command), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
		if code != cli.ExitInterrupted || out.Len() > 0 || errs.Len() > 0 {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, want %d and silence", command, code, out.String(), errs.String(), cli.ExitInterrupted)
		}
	}
}
