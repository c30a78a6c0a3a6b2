package renderer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// leaveWithin is how long a child may take to notice that stdin has ended.
const leaveWithin = 5 * time.Second

// worker is the parent's end of one child.
type worker struct {
	cmd         *exec.Cmd
	stdin       io.WriteCloser
	stdout      *bufio.Reader
	stderr      *stderr
	limits      Limits
	confinement Confinement
	served      int
	// rested says that it has waited for work since it was started.
	rested bool
}

// exchange sends and reads one frame; when ctx ends first, or anything goes
// wrong, the child's process group is killed and waited for.
func (w *worker) exchange(ctx context.Context, send func() error, receive any, limit int64) error {
	release := context.AfterFunc(ctx, w.kill)
	err := send()
	if err == nil {
		err = readFrame(w.stdout, limit, receive)
	}
	if release() && err == nil {
		return nil
	}
	w.end()
	return errors.Join(ctx.Err(), err)
}

// render does one request. A dead child is a fault of the inputs if a limit killed it.
func (w *worker) render(ctx context.Context, r request) (response, error) {
	w.stderr.reset()
	w.served++
	var resp response
	// The JSON around the objects comes on top of their bytes.
	err := w.exchange(ctx, func() error { return writeRequest(w.stdin, r) }, &resp, w.limits.OutputBytes*2+1<<20)
	if err != nil {
		return response{}, err
	}
	if resp.Retire || w.served >= w.limits.Renders {
		w.close()
	}
	return resp, nil
}

// kill ends the whole process group; a child that is gone already is what was wanted.
func (w *worker) kill() {
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) // ESRCH: it is gone
}

// end kills and reaps.
func (w *worker) end() {
	w.kill()
	w.close()
}

// close lets the child leave by itself and reaps it.
func (w *worker) close() {
	if w.cmd.ProcessState != nil {
		return
	}
	_ = w.stdin.Close() // a broken pipe means that the child is gone
	overdue := time.AfterFunc(leaveWithin, w.kill)
	defer overdue.Stop()
	_ = w.cmd.Wait() // how it ended is read from ProcessState
}

func (w *worker) gone() bool { return w.cmd.ProcessState != nil }

// cause says which limit ended a dead child, if one did.
func (w *worker) cause() (message string, isLimit bool) {
	status, ok := w.cmd.ProcessState.Sys().(syscall.WaitStatus)
	signalled := ok && status.Signaled() && status.Signal() == syscall.SIGXCPU
	switch word := w.stderr.lastWord(); {
	case word == wordCPU || signalled:
		return fmt.Sprintf("rendering takes more than %s of CPU time", w.limits.CPU), true
	case word == wordMemory || word == wordNoMemory || word == wordNoThread:
		return fmt.Sprintf("rendering takes more than %d MiB of memory", w.limits.MemoryBytes>>20), true
	case word == wordStack:
		return "rendering recurses without end", true
	}
	return manifest.Clean(w.stderr.String()), false
}

// lastFile is the file that a traced child was at.
func (w *worker) lastFile() string { return w.stderr.lastTrace() }
