package charts_test

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is cmd/muster-render, built once, without the race detector: its
// shadow memory would count against the child's limit.
var binary string

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm warns of what some sets of values do on purpose
	os.Exit(withBinary(m))
}

func withBinary(m *testing.M) int {
	dir, err := os.MkdirTemp("", "muster-corpus-charts")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "muster-render")
	build := exec.Command("go", "build", "-o", binary, "github.com/muster-dev/muster/cmd/muster-render")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build muster-render: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
