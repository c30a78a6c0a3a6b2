// Package rendertest builds the render program for tests that run real children.
package rendertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Main builds cmd/muster-render without the race detector, whose shadow memory
// would count against the child's limit, stores its path in binary, runs the
// tests and returns the exit code.
func Main(m *testing.M, binary *string) int {
	dir, err := os.MkdirTemp("", "muster-render-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "muster-render")
	build := exec.Command("go", "build", "-o", *binary, "github.com/muster-dev/muster/cmd/muster-render")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build muster-render: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
