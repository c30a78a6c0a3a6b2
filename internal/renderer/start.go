package renderer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"
	"time"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

const (
	// maxStarts is how often a child is started before that is an error.
	maxStarts = 3
	// breathe is how long is waited for a machine on which nothing starts, twice as long the next time.
	breathe = 200 * time.Millisecond
)

// starting is how children are started.
type starting struct {
	binary string
	args   []string
	limits Limits
	// within is how long one may take until it answers.
	within time.Duration
}

// worker starts a child, again if the machine had no room or no time for it:
// that says nothing about any bundle. It does not wait for what cannot change.
func (s starting) worker(ctx context.Context) (*worker, error) {
	var err error
	for n := range maxStarts {
		if n > 0 && !pause(ctx, breathe<<(n-1)) {
			return nil, err
		}
		var w *worker
		if w, err = s.once(ctx); err == nil {
			return w, nil
		}
		if hopeless(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w; tried %d times", err, maxStarts)
}

// hopeless tells whether the program is missing, or none.
func hopeless(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC)
}

// pause waits, and tells whether ctx lived that long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// once starts a child and greets it. The child leaves when its stdin closes, so
// it never outlives this process by more than one render.
func (s starting) once(ctx context.Context) (*worker, error) {
	w, err := s.process()
	if err != nil {
		return nil, fmt.Errorf("start render process %s: %w", s.binary, err)
	}
	inTime, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	var answer helloAnswer
	greet := func() error { return writeFrame(w.stdin, hello{Limits: s.limits}) }
	if err := w.exchange(inTime, greet, &answer, 4<<10); err != nil {
		return nil, s.unanswered(ctx, inTime, w, err)
	}
	w.confinement = answer.Confinement
	return w, nil
}

// unanswered says why a child was not greeted.
func (s starting) unanswered(ctx, inTime context.Context, w *worker, err error) error {
	if ctx.Err() == nil && inTime.Err() != nil {
		return fmt.Errorf("greet render process %s: no answer within %s", s.binary, s.within)
	}
	return fmt.Errorf("greet render process %s: %w (it said %q)", s.binary, err, manifest.Clean(w.stderr.String()))
}

// process starts the program, which has nothing but its pipes.
func (s starting) process() (*worker, error) {
	w := &worker{cmd: exec.Command(s.binary, s.args...), stderr: &stderr{}, limits: s.limits}
	w.cmd.Env = []string{}
	w.cmd.Dir = "/"
	w.cmd.Stderr = w.stderr
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.stdin, w.stdout = stdin, bufio.NewReaderSize(stdout, 64<<10)
	return w, w.cmd.Start()
}
