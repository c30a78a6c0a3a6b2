package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
	}
	os.Exit(code)
}

// run returns the exit code: the command's own, or 1 for our own complaints.
func run(args []string, out io.Writer) (int, error) {
	flags := flag.NewFlagSet("stage", flag.ExitOnError)
	file := flags.String("file", ".cache/stage-times.txt", "file that keeps the times")
	table := flags.Bool("table", false, "print the kept times beside their budgets and do nothing else")
	tests := flags.Bool("tests", false, "the command is go test; fail if it ran no test")
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	if *table {
		return printTable(*file, out)
	}
	if flags.NArg() < 2 {
		return 2, errors.New("usage: stage [-tests] NAME COMMAND [ARGS]")
	}
	return runStage(*file, flags.Arg(0), flags.Args()[1:], *tests, out)
}

func printTable(file string, out io.Writer) (int, error) {
	times, err := readTimes(file)
	if err != nil {
		return 1, err
	}
	fmt.Fprint(out, formatTable(times))
	return 0, nil
}

// runStage runs the command, records how long it took even when it failed, and
// judges whether it tested anything.
func runStage(file, name string, command []string, tests bool, out io.Writer) (int, error) {
	fmt.Fprintf(out, "== %s\n", name)
	begun := time.Now()
	seen := &testCounter{}
	code, err := execute(command, io.MultiWriter(out, seen))
	took := time.Since(begun)
	if err == nil && code == 0 && tests && seen.tested() == 0 {
		code, err = 1, fmt.Errorf("%s: no test ran", name)
	}
	result := "ok"
	if code != 0 {
		result = "FAILED"
	}
	fmt.Fprintf(out, "== %s: %s in %s\n", name, result, took.Round(100*time.Millisecond))
	return code, errors.Join(err, appendTime(file, entry{Name: name, Took: took, Result: result}))
}

// execute runs the command with its output to out. Ctrl-C reaches the command by
// itself, as it does the whole process group; we outlive it, to record the time.
// SIGTERM was sent to us alone and is passed on.
func execute(command []string, out io.Writer) (int, error) {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.Stdout, c.Stderr = out, os.Stderr
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("run %s: %w", command[0], err)
	}
	return 0, nil
}
