package renderer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
	_ "time/tzdata" // dates in templates must not depend on the machine's files, which cannot be opened either

	"github.com/muster-dev/muster/pkg/bundle/manifest"
)

// ChildArgument is the hidden first argument with which any program that calls
// ServeChild can be its own muster-render.
const ChildArgument = "__render"

// Exit codes of a child.
const (
	exitOK       = 0
	exitProtocol = 3
	exitCPU      = 4
)

// Words on a child's stderr that the parent looks for.
const (
	tracePrefix  = "rendering "
	wordCPU      = "cpu limit reached"
	wordMemory   = "out of memory"
	wordNoMemory = "cannot allocate memory"
	wordStack    = "stack exceeds"
	// A program with C in it finds no room for the stack of another thread.
	wordNoThread = "pthread_create failed"
)

// ServeChild is the whole life of a render process: it confines itself, then
// answers requests until stdin ends. It changes the process for good and
// returns the exit code.
func ServeChild(stdin io.Reader, stdout io.Writer) int {
	in, out := bufio.NewReaderSize(stdin, 64<<10), bufio.NewWriterSize(stdout, 64<<10)
	var h hello
	if err := readFrame(in, 1<<10, &h); err != nil {
		return quit(err)
	}
	prepareRuntime(h.Limits)
	if err := send(out, helloAnswer{Confinement: enterCell(h.Limits)}); err != nil {
		return quit(err)
	}
	c := child{limits: h.Limits, out: out}
	for {
		r, err := readRequest(in)
		if errors.Is(err, io.EOF) {
			return exitOK
		} else if err != nil {
			return quit(err)
		}
		if retire, err := c.answer(r); err != nil {
			return quit(err)
		} else if retire {
			return exitOK
		}
	}
}

func quit(err error) int {
	fmt.Fprintln(os.Stderr, manifest.Clean(err.Error()))
	return exitProtocol
}

// prepareRuntime makes this process the same everywhere: two threads of work,
// memory given back before the kernel's limit, UTC, and silence, since
// libraries log pieces of what they read.
func prepareRuntime(l Limits) {
	runtime.GOMAXPROCS(2)
	debug.SetMemoryLimit(l.MemoryBytes / 4 * 3)
	time.Local = time.UTC
	log.SetOutput(io.Discard)
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGXCPU)
	go func() {
		<-stopped
		fmt.Fprintln(os.Stderr, wordCPU)
		os.Exit(exitCPU)
	}()
}

// enterCell gives up what this process will not need.
func enterCell(l Limits) Confinement {
	c := Confinement{Limits: true, Syscalls: true}
	if err := setLimits(l); err != nil {
		c.Limits, c.Detail = false, err.Error()
	}
	if err := confine(); err != nil {
		c.Syscalls, c.Detail = false, err.Error()
	}
	return c
}

type child struct {
	limits Limits
	out    *bufio.Writer
}

func (c child) answer(r request) (retire bool, err error) {
	if err := armCPU(c.limits.CPU); err != nil {
		return true, err
	}
	j := job{inputs: r.Inputs, limits: c.limits, files: r.Files}
	if r.Trace {
		j.progress = func(file string) { fmt.Fprintln(os.Stderr, tracePrefix+file) }
	}
	resp := c.respond(j)
	return resp.Retire, send(c.out, resp)
}

func (c child) respond(j job) response {
	done, err := j.runSafely()
	answers := bounded(done.answers, j.inputs.Facts)
	if err != nil {
		fault := faultOf(err)
		return response{Fault: fault, Answers: answers, Retire: done.tainted || spent(fault) || grown(c.limits)}
	}
	return response{Rendered: true, Objects: done.objects, Files: done.files, Origins: done.origins, Answers: answers, Retire: done.tainted || grown(c.limits)}
}

// spent tells whether a fault may have left something behind in this process.
// What is only wrong has not: thousands of clusters may lack the same label.
func spent(f *manifest.Fault) bool {
	return f.Panicked || f.Code == manifest.LimitExceeded
}

// grown tells whether this process holds so much memory that a fresh one is cheaper.
func grown(l Limits) bool {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64()-sample[1].Value.Uint64()) > l.MemoryBytes/2
}

func send(out *bufio.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if err := writeBytes(out, data); err != nil {
		return err
	}
	return out.Flush()
}
