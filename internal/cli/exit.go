package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Exit codes, the same for every command.
const (
	ExitDone        = 0
	ExitFailed      = 1 // failed, or not found
	ExitUsage       = 2
	ExitTimedOut    = 3 // for validate: the directory cannot be read
	ExitSuperseded  = 4 // a newer commit came in between
	ExitHeld        = 5 // a person or a window has to release something
	ExitRefused     = 6
	ExitInterrupted = 130
)

// exitError is an error with the code the process ends with. A nil Err means
// that everything worth saying has been printed.
type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// usagef is a mistake in the arguments.
func usagef(format string, args ...any) error {
	return &exitError{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// said ends with a code after the command has printed what is wrong.
func said(code int) error { return &exitError{Code: code} }

// exitCode finds the code for an error of a command.
func exitCode(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &exit):
		return exit.Code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err), apierrors.IsTimeout(err):
		return ExitTimedOut
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), apierrors.IsInvalid(err):
		return ExitRefused
	default:
		return ExitFailed
	}
}
