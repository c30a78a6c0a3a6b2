//go:build !linux

package renderer

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const limitsSupported = true

func syscallsSupported() bool { return false }

// setLimits binds this process as far as this system can: CPU time and open files.
func setLimits(l Limits) error {
	whole := uint64(l.CPU/time.Second)*uint64(l.Renders) + 5
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: whole, Max: whole}); err != nil {
		return fmt.Errorf("set limit cpu: %w", err)
	}
	return nil
}

// armCPU has no effect here: the wall clock of the parent bounds each render.
func armCPU(time.Duration) error { return nil }

func confine() error { return errors.New("system call filter: only on Linux") }
