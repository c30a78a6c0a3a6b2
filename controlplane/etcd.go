package main

import (
	"context"
	"fmt"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcdReadyTimeout bounds how long a single member may take to elect itself;
// on a loaded 2-core machine it needs about half a second.
const etcdReadyTimeout = 60 * time.Second

// slowRequest is how long a request may take before etcd mentions it.
const slowRequest = time.Second

// etcdOptions are the few settings a throw-away single-member etcd needs.
type etcdOptions struct {
	dataDir        string
	clientURL      string
	peerURL        string
	metricsURL     string
	logLevel       string
	quotaBytes     int64
	retention      time.Duration
	unsafeNoFsync  bool
	snapshotCount  uint64
	maxRequestSize uint
}

func newEtcdCommand() *cobra.Command {
	var o etcdOptions
	command := &cobra.Command{
		Use:          "etcd",
		Short:        "Run a single-member etcd for local API servers",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runEtcd(ctx, o)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.dataDir, "data-dir", "", "directory of the member's data (required)")
	flags.StringVar(&o.clientURL, "listen-client-url", "http://127.0.0.1:2379", "URL that API servers connect to")
	flags.StringVar(&o.peerURL, "listen-peer-url", "http://127.0.0.1:2380", "URL of the unused peer listener; port 0 picks a free one")
	flags.StringVar(&o.metricsURL, "listen-metrics-url", "", "URL that serves /metrics and /health only; empty serves them on the client URL")
	flags.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error")
	flags.Int64Var(&o.quotaBytes, "quota-backend-bytes", 2<<30, "size of the backend, in bytes, at which writes are refused")
	flags.DurationVar(&o.retention, "auto-compaction-retention", 0, "age at which revisions are compacted away; 0 leaves it to the API servers, which compact every 5 minutes")
	flags.BoolVar(&o.unsafeNoFsync, "unsafe-no-fsync", false, "skip fsync: faster, and safe against kill -9 of the process but not of the machine")
	flags.Uint64Var(&o.snapshotCount, "snapshot-count", 10000, "committed transactions between two snapshots to disk")
	flags.UintVar(&o.maxRequestSize, "max-request-bytes", 1572864, "largest request accepted, in bytes (etcd's own default)")
	return command
}

// config turns the options into the configuration of a cluster of one.
func (o etcdOptions) config() (*embed.Config, error) {
	if o.dataDir == "" {
		return nil, fmt.Errorf("etcd: --data-dir is required")
	}
	client, err := url.Parse(o.clientURL)
	if err != nil {
		return nil, fmt.Errorf("etcd: parse --listen-client-url: %w", err)
	}
	peer, err := url.Parse(o.peerURL)
	if err != nil {
		return nil, fmt.Errorf("etcd: parse --listen-peer-url: %w", err)
	}
	c := embed.NewConfig()
	c.Name = "local"
	c.Dir = o.dataDir
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.LogLevel = o.logLevel
	c.LogOutputs = []string{"stderr"}
	c.QuotaBackendBytes = o.quotaBytes
	c.UnsafeNoFsync = o.unsafeNoFsync
	c.SnapshotCount = o.snapshotCount
	c.MaxRequestBytes = o.maxRequestSize
	// The library's zero value would log every single request as slow.
	c.WarningUnaryRequestDuration = slowRequest
	return c, o.applyOptional(c)
}

// applyOptional sets what is off by default.
func (o etcdOptions) applyOptional(c *embed.Config) error {
	if o.retention > 0 {
		c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, o.retention.String()
	}
	if o.metricsURL == "" {
		return nil
	}
	metrics, err := url.Parse(o.metricsURL)
	if err != nil {
		return fmt.Errorf("etcd: parse --listen-metrics-url: %w", err)
	}
	c.ListenMetricsUrls = []url.URL{*metrics}
	return nil
}

// runEtcd serves until ctx ends or the member fails.
func runEtcd(ctx context.Context, o etcdOptions) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	member, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("start etcd in %s: %w", o.dataDir, err)
	}
	defer member.Close()
	select {
	case <-member.Server.ReadyNotify():
	case <-time.After(etcdReadyTimeout):
		return fmt.Errorf("etcd in %s not ready after %s", o.dataDir, etcdReadyTimeout)
	case <-ctx.Done():
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-member.Err():
		return fmt.Errorf("serve etcd in %s: %w", o.dataDir, err)
	}
}
