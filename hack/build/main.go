package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// run builds what the arguments name, or everything, one target after the
// other: Go already uses every core for one.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("build", flag.ExitOnError)
	root := flags.String("root", ".", "root of the repository")
	version := flags.String("version", "", "version to stamp into Muster's commands; empty asks git")
	if err := flags.Parse(args); err != nil {
		return err
	}
	abs, err := filepath.Abs(*root)
	if err != nil {
		return fmt.Errorf("resolve %s: %w", *root, err)
	}
	if *version == "" {
		*version = describe(ctx, abs)
	}
	targets, err := choose(allTargets(abs, *version), flags.Args())
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := t.build(ctx, abs); err != nil {
			return err
		}
	}
	return nil
}

// choose keeps the targets named, in building order; no name means all but
// those that only the tests need.
func choose(all []target, names []string) ([]target, error) {
	var chosen []target
	for _, t := range all {
		if len(names) == 0 && !t.OnRequest {
			chosen = append(chosen, t)
		}
		for _, name := range names {
			if t.Name == name {
				chosen = append(chosen, t)
			}
		}
	}
	if len(chosen) < len(names) {
		return nil, fmt.Errorf("unknown target in %s; there are %s", strings.Join(names, " "), targetNames(all))
	}
	return chosen, nil
}

func targetNames(all []target) string {
	names := make([]string, 0, len(all))
	for _, t := range all {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// describe asks git for a version; a tarball without git history is "dev".
func describe(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--tags", "--always", "--dirty").Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "build: git describe:", err)
	}
	if v := strings.TrimSpace(string(out)); v != "" && err == nil {
		return v
	}
	return "dev"
}
