package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// compile runs go build and turns its list of compiled packages into progress.
func (t target) compile(ctx context.Context, root string) error {
	screen := newScreen(os.Stderr, t.Name)
	start := time.Now()
	screen.update("looking at dependencies (" + t.Note + ")")
	packages, err := t.list(ctx, root, screen)
	if err != nil {
		return err
	}
	p := newProgress(packages, start)
	screen.update(fmt.Sprintf("%d packages, taking from the cache what is there", len(packages)))
	if err := t.goBuild(ctx, root, p, screen); err != nil {
		return err
	}
	if p.compiled > 0 {
		screen.done(fmt.Sprintf("built %d packages in %s", p.compiled, time.Since(start).Round(time.Second)))
	}
	return nil
}

// list asks Go for every package of the build; the modules that are not there
// yet are downloaded by this, which on a new machine is the first minute.
func (t target) list(ctx context.Context, root string, screen *screen) ([]pkg, error) {
	const format = "{{.ImportPath}}\t{{.Dir}}\t{{join .GoFiles \",\"}},{{join .CgoFiles \",\"}}\t{{join .Imports \",\"}}\t{{.DepOnly}}"
	args := append([]string{"list", "-deps", "-f", format}, t.Packages...)
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = filepath.Join(root, t.Dir)
	var out bytes.Buffer
	command.Stdout = &out
	downloads := 0
	err := follow(command, screen, func(line string) {
		if strings.HasPrefix(line, "go: downloading ") {
			downloads++
			screen.update(fmt.Sprintf("downloading modules: %d so far, now %s", downloads, strings.TrimPrefix(line, "go: downloading ")))
			return
		}
		screen.say(line)
	})
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return parsePackages(&out)
}

// goBuild compiles; -v makes Go name each package as its compilation starts.
func (t target) goBuild(ctx context.Context, root string, p *progress, screen *screen) error {
	output := filepath.Join(root, t.Output)
	if strings.HasSuffix(t.Output, "/") {
		output += "/"
		if err := os.MkdirAll(output, 0o755); err != nil {
			return fmt.Errorf("make %s: %w", output, err)
		}
	}
	// We stamp the version ourselves; Go's own stamp fails in a checkout that
	// belongs to another user.
	args := append([]string{"build", "-v", "-buildvcs=false", "-o", output}, t.Flags...)
	command := exec.CommandContext(ctx, "go", append(args, t.Packages...)...)
	command.Dir = filepath.Join(root, t.Dir)
	err := follow(command, screen, func(line string) {
		if !p.started(line) {
			screen.say(line)
			return
		}
		screen.update(p.line(time.Now()))
	})
	if err != nil {
		return fmt.Errorf("go build %s: %w", strings.Join(t.Packages, " "), err)
	}
	return nil
}

// follow runs command, hands each line of its standard error to each, and keeps
// the screen alive meanwhile. Everything happens on the caller's goroutine but
// the reading.
func follow(command *exec.Cmd, screen *screen, each func(line string)) error {
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	// Interrupted, Go stops its compilers; killed, it would leave them behind.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		return err
	}
	lines := make(chan string)
	scanned := make(chan error, 1)
	go func() { scanned <- scan(stderr, lines) }()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for open := true; open; {
		select {
		case line, ok := <-lines:
			if open = ok; ok {
				each(line)
			}
		case now := <-ticker.C:
			screen.tick(now)
		}
	}
	return errors.Join(<-scanned, command.Wait())
}

// scan closes lines when r ends.
func scan(r io.Reader, lines chan<- string) error {
	defer close(lines)
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines <- scanner.Text()
	}
	return scanner.Err()
}
