package charts_test

import (
	"io"
	"log"
	"os"
	"testing"

	"github.com/muster-dev/muster/internal/renderer/rendertest"
)

// binary is cmd/muster-render, built once.
var binary string

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm warns of what some sets of values do on purpose
	os.Exit(rendertest.Main(m, &binary))
}
