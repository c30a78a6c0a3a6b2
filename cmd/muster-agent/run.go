package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/agent/loop"
	"github.com/muster-dev/muster/pkg/protocol"
)

// errJoinedAgain ends a loop whose identity was replaced.
var errJoinedAgain = errors.New("joined again")

// run joins if need be and keeps the cluster until ctx ends.
func run(ctx context.Context, o options, log *slog.Logger) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig %q: %w", o.kubeconfig, err)
	}
	client, err := kube.New(config, o.namespace, "muster-agent/"+version)
	if err != nil {
		return err
	}
	roots, err := readRoots(o.caFile)
	if err != nil {
		return err
	}
	keeper := &keeper{client: client, tokenFile: o.tokenFile, roots: roots, log: log}
	health := &healthServer{}
	if err := health.serve(ctx, o.metricsListen, log); err != nil {
		return err
	}
	for {
		identity, err := keeper.identity(ctx)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		if err := keep(ctx, client, keeper, identity, health, log); !errors.Is(err, errJoinedAgain) {
			return ignoreEnd(ctx, err)
		}
	}
}

// ignoreEnd: being told to stop is no failure.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// keep runs one loop with one identity; a cluster that cannot be read yet is
// tried again.
func keep(ctx context.Context, client *kube.Client, k *keeper, identity hubclient.Identity, health *healthServer, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hub, err := hubclient.New(identity, hubclient.Options{RootCAs: k.roots})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		l, err := loop.New(client, hub, loop.Options{
			Cluster: identity.ClusterUID, Trust: identity.Trust, Version: version, Session: hub.Session(), Log: log,
			Open: hub.Open,
			Obeyed: func(d protocol.Document, h protocol.Header) {
				if next, changed := hub.Adopt(d, h); changed {
					k.storeSoon(ctx, next)
				}
			},
			Revoked: func() { k.joinAgain(ctx, identity, func() { cancel(errJoinedAgain) }) },
		})
		if err != nil {
			return err
		}
		health.show(l)
		if err := l.Run(ctx); err != nil {
			log.Warn("the agent could not begin", "error", err.Error())
			pause(ctx, 2*time.Second)
		}
	}
	k.wait()
	return context.Cause(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read --ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read --ca-file %s: no certificate in it", file)
	}
	return pool, nil
}

// statusOK answers a probe.
func statusOK(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
