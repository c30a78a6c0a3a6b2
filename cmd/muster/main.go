// Command muster is the command line of Muster.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/muster-dev/muster/internal/cli"
	"github.com/muster-dev/muster/internal/renderer"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	// Rendering happens in a confined child; without muster-render beside it this
	// program is its own child, so that one `go run` or `go install` is enough.
	if len(os.Args) == 2 && os.Args[1] == renderer.ChildArgument {
		return renderer.ServeChild(os.Stdin, os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, version, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}
