package renderer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/renderer"
)

// slowStart is a program that does as it is told the first times it is started,
// and then is the real child. Each start adds a line to the file started.
func slowStart(t *testing.T, times int, instead string) (path, started string) {
	t.Helper()
	path, started = filepath.Join(t.TempDir(), "slow"), filepath.Join(t.TempDir(), "started")
	script := fmt.Sprintf("#!/bin/sh\nPATH=/usr/bin:/bin\necho x >>%s\nif [ $(wc -l <%s) -le %d ]; then\n%s\nfi\nexec %s\n", started, started, times, instead, binary)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, started
}

// A machine that has no room for a process, or no time for it, says nothing
// about the bundle, and may have both a moment later.
func TestAChildThatDoesNotStartIsStartedAgain(t *testing.T) {
	for name, instead := range map[string]string{
		"it leaves":        "exit 1",
		"it is killed":     "kill -9 $$",
		"it never answers": "exec cat >/dev/null",
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := slowStart(t, 1, instead)
			pool := newPool(t, renderer.Options{Binary: path, StartWithin: 3 * time.Second})
			if item := mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a")))); len(item.Objects) != 1 {
				t.Errorf("got %d objects, want 1", len(item.Objects))
			}
		})
	}
}

func TestAChildIsNotStartedForEver(t *testing.T) {
	path, started := slowStart(t, 1000, "exit 1")
	_, err := newPool(t, renderer.Options{Binary: path}).Render(context.Background(), rawInputs(file("a.yaml", configMap("a"))))
	var p *renderer.Problem
	if err == nil || errors.As(err, &p) {
		t.Errorf("got %v, want an error that is not the bundle's", err)
	}
	if got := strings.Count(read(t, started), "x"); got != 3 {
		t.Errorf("it was started %d times, want 3", got)
	}
}

// What starting takes is not taken from the time to render.
func TestStartingHasItsOwnTime(t *testing.T) {
	path, _ := slowStart(t, 1, "sleep 4")
	pool := newPool(t, renderer.Options{Binary: path, Wall: 3 * time.Second})
	mustRender(t, pool.Render, rawInputs(file("a.yaml", configMap("a"))))
}

// A resting child that something else ended, such as a machine without memory,
// is replaced.
func TestARestingChildThatWasKilledIsReplaced(t *testing.T) {
	pool := newPool(t, renderer.Options{Workers: 1, MemoBytes: -1})
	in := rawInputs(file("a.yaml", configMap("a")))
	want := mustRender(t, pool.Render, in)
	for _, pid := range children(t) {
		kill(t, pid)
	}
	if got := mustRender(t, pool.Render, in); len(got.Objects) != len(want.Objects) {
		t.Errorf("got %d objects, want %d", len(got.Objects), len(want.Objects))
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}
