package charts_test

import (
	"io"
	"log"
	"os"
	"testing"

	"github.com/muster-dev/muster/internal/renderer"
)

// TestMain lets this program be the pool's child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	log.SetOutput(io.Discard) // Helm warns of what some values sets do on purpose
	os.Exit(m.Run())
}
