package receiver_test

import (
	"io"

	"k8s.io/utils/clock"
)

func realClock() clock.WithDelayedExecution { return clock.RealClock{} }

func newPipe() (*io.PipeReader, *io.PipeWriter) { return io.Pipe() }
