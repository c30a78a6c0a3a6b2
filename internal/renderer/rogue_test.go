package renderer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/renderer"
)

// frame is text as the child would send it, for a shell's printf.
func frame(text string) string {
	return fmt.Sprintf(`\000\000\%03o\%03o`, len(text)>>8, len(text)&0xff) + strings.ReplaceAll(text, "%", "%%")
}

// A child that was taken over may say anything. It is not believed, takes no
// memory of its parent, and the bundle is not to blame.
func TestARogueChildIsKeptAtArmsLength(t *testing.T) {
	hello := frame(`{"confinement": {"limits": true, "syscalls": true}}`)
	cases := map[string]string{
		"leaves at once":        "exit 1",
		"says nothing":          "cat >/dev/null",
		"announces 4 GiB":       `printf '\377\377\377\377'; exec cat /dev/zero`,
		"greets with nonsense":  "printf '" + frame("nonsense") + "'; exec cat >/dev/null",
		"answers with nonsense": "printf '" + hello + frame("[1, 2]") + "'; exec cat >/dev/null",
		"answers nothing":       "printf '" + hello + frame("{}") + "'; exec cat >/dev/null",
		"answers 4 GiB":         "printf '" + hello + `\377\377\377\377` + "'; exec cat /dev/zero",
		"leaves when asked":     "printf '" + hello + "'; head -c 60 >/dev/null; exit 0",
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rogue")
			// Children get no environment, so the script brings its own.
			if err := os.WriteFile(path, []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			pool := newPool(t, renderer.Options{Binary: path, Workers: 1, Wall: 2 * time.Second, StartWithin: time.Second})
			_, err := pool.Render(context.Background(), rawInputs(file("a.yaml", configMap("a"))))
			runtime.ReadMemStats(&after)

			var p *renderer.Problem
			if err == nil || errors.As(err, &p) {
				t.Errorf("got %v, want an error that is not the bundle's", err)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 8 {
				t.Errorf("the parent allocated %d MiB", took)
			}
			if left := children(t); len(left) != 0 {
				pool.Close()
				if left := children(t); len(left) != 0 {
					t.Errorf("children %v are left", left)
				}
			}
		})
	}
}
