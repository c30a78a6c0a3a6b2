// Command muster-agent keeps one Kubernetes cluster as its hub assigns.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"k8s.io/klog/v2"
)

// version is set by the linker.
var version = "dev"

// Soft limits of the runtime: the agent shares small nodes with real work.
const (
	memoryLimit = 60 << 20
	gcPercent   = 50
)

func main() {
	options, err := parse(os.Args[1:], os.Getenv, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "muster-agent:", err)
		os.Exit(2)
	case options.showVersion:
		fmt.Println(version)
		return
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	klog.SetSlogLogger(log)
	limitMemory(os.Getenv)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log.Info("starting", "version", version, "options", options.table())
	if err := run(ctx, options, log); err != nil {
		log.Error("stopped", "error", err.Error())
		os.Exit(1)
	}
}

// limitMemory keeps the heap small unless the operator said otherwise.
func limitMemory(env func(string) string) {
	if env("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if env("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
