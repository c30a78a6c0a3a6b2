package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Spec says what to start.
type Spec struct {
	// Name is used in errors only.
	Name string
	// Path of the executable; Args without the program's own name.
	Path string
	Args []string
	// Env of the process, "key=value"; nil is the lab's own.
	Env []string
	// Dir is the working directory; empty is the lab's own.
	Dir string
	// Log is the file that stdout and stderr are appended to.
	Log string
}

// Process is a started program.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}
	err  error // written before done is closed
}

// Start starts the program and returns once it runs.
func Start(spec Spec) (*Process, error) {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: open its log: %w", spec.Name, err)
	}
	defer log.Close()
	p := &Process{spec: spec, done: make(chan struct{}), cmd: exec.Command(spec.Path, spec.Args...)}
	p.cmd.Env, p.cmd.Dir = spec.Env, spec.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	return p, nil
}

// run starts the process and waits for it on one and the same thread: the
// kernel sends the parent-death signal when the starting *thread* ends, and a
// goroutine that is not locked may be moved off a thread that Go then ends.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID of the process, also after its end.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended says whether the process has ended, and how.
func (p *Process) Ended() (bool, error) {
	select {
	case <-p.done:
		return true, p.err
	default:
		return false, nil
	}
}

// Stop asks the process to end, and after grace kills its whole group. It
// returns when the process is gone.
func (p *Process) Stop(grace time.Duration) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		p.Kill() // its children, if it left any
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	p.Kill()
}

// Kill ends the process and what is left of its group at once.
func (p *Process) Kill() {
	// The group may be empty already; there is nothing to do about that.
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// maxTail bounds what Tail reads of a log, in bytes.
const maxTail = 4096

// Tail returns the end of the process's log, for errors.
func (p *Process) Tail() string { return Tail(p.spec.Log) }

// Tail returns the last few lines of a file, or why it cannot be read.
func Tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxTail {
		if _, err := f.Seek(-maxTail, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxTail))
	if err != nil {
		return err.Error()
	}
	return string(b)
}
