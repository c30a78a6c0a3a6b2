package manager

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
)

// Options of the manager: one table of flag, default and help.
type Options struct {
	Kubeconfig    string
	Namespace     string
	Listen        string
	TLSCertFile   string
	TLSKeyFile    string
	ExternalURL   string
	DataDir       string
	MetricsListen string
	LeaderElect   bool
	RenderBinary  string
	RenderWorkers int
	Pprof         bool
	Version       string
	// CheckEvery is how often ConfigMaps and Secrets that bundles name on the hub are asked for their
	// versions; 0 is DefaultCheckEvery. No flag: bundles' owners are promised a minute.
	CheckEvery time.Duration
}

// DefaultCheckEvery has changes of values on the hub noticed within a minute.
const DefaultCheckEvery = 30 * time.Second

// AddFlags declares every option.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Kubeconfig, "kubeconfig", "", "path of a kubeconfig for the hub; the service account in a cluster if empty")
	fs.StringVar(&o.Namespace, "namespace", "muster-system", "namespace of the manager's own objects")
	fs.StringVar(&o.Listen, "listen", ":8443", "address that agents, webhooks and probes reach")
	fs.StringVar(&o.TLSCertFile, "tls-cert-file", "", "certificate to serve with; plain HTTP, for a TLS-terminating proxy, if empty")
	fs.StringVar(&o.TLSKeyFile, "tls-key-file", "", "key of the certificate")
	fs.StringVar(&o.ExternalURL, "external-url", "", "URL at which agents reach --listen; published for `muster cluster token`")
	fs.StringVar(&o.DataDir, "data-dir", "", "directory for Git mirrors and fetched charts; losing it costs a fetch (default: a directory below the system's temporary one)")
	fs.StringVar(&o.MetricsListen, "metrics-listen", "127.0.0.1:9090", "address of /metrics; 0 for none")
	fs.BoolVar(&o.LeaderElect, "leader-elect", true, "elect a leader; needed with more than one replica")
	fs.StringVar(&o.RenderBinary, "render-binary", "", "path of muster-render (default: beside this executable)")
	fs.IntVar(&o.RenderWorkers, "render-workers", 0, "renders at once (default: half the processors, 1 to 4)")
	fs.BoolVar(&o.Pprof, "pprof", false, "serve profiles beside the metrics")
}

// Validate checks options against each other and fills in what was left out.
func (o *Options) Validate() error {
	var errs []error
	if (o.TLSCertFile == "") != (o.TLSKeyFile == "") {
		errs = append(errs, errors.New("set --tls-cert-file and --tls-key-file together"))
	}
	if o.Namespace == "" {
		errs = append(errs, errors.New("--namespace must not be empty"))
	}
	if o.DataDir == "" {
		dir, err := os.MkdirTemp("", "muster-manager-")
		if err != nil {
			errs = append(errs, fmt.Errorf("make a data directory: %w", err))
		}
		o.DataDir = dir
	}
	return errors.Join(errs...)
}
