package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/muster-dev/muster/pkg/agent/loop"
)

// healthServer serves probes and numbers of the loop that runs.
type healthServer struct{ running atomic.Pointer[loop.Loop] }

func (h *healthServer) show(l *loop.Loop) { h.running.Store(l) }

// serve listens until ctx ends; no address means not at all.
func (h *healthServer) serve(ctx context.Context, address string, log *slog.Logger) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen on --metrics-listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", statusOK)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.HandleFunc("GET /metrics", h.metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() {
		if err := server.Close(); err != nil {
			log.Warn("close the metrics server", "error", err.Error())
		}
	})
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serve metrics", "error", err.Error())
		}
	}()
	return nil
}

// ready is true once the agent joined: without a hub it goes on with what it knows.
func (h *healthServer) ready(w http.ResponseWriter, r *http.Request) {
	if h.running.Load() == nil {
		http.Error(w, "not joined", http.StatusServiceUnavailable)
		return
	}
	statusOK(w, r)
}

func (h *healthServer) metrics(w http.ResponseWriter, _ *http.Request) {
	l := h.running.Load()
	if l == nil {
		http.Error(w, "not joined", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	if err := l.WriteMetrics(w); err != nil {
		return // the client went away: nobody to tell
	}
}
