package manager

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/internal/source"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

// Run runs the manager until ctx ends.
func Run(ctx context.Context, o Options) error {
	config, err := loadConfig(o.Kubeconfig)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	direct, err := client.New(config, client.Options{Scheme: mgr.GetScheme()})
	if err != nil {
		return fmt.Errorf("connect to the hub: %w", err)
	}
	key, err := gateway.LoadOrCreate(ctx, direct, o.Namespace)
	if err != nil {
		return err
	}
	h, err := assemble(mgr, direct, key, o)
	if err != nil {
		return err
	}
	about := distribution.About{ID: key.ID(), URL: o.ExternalURL, Fingerprint: key.Fingerprint()}
	if err := h.hub.Load(ctx, h.clock.Now(), about); err != nil {
		return err
	}
	klog.FromContext(ctx).Info("starting", "version", o.Version, "namespace", o.Namespace, "listen", o.Listen, "hub", key.ID())
	err = mgr.Start(ctx)
	return errors.Join(err, h.close())
}

func loadConfig(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("load the hub's kubeconfig %q: %w", kubeconfig, err)
	}
	// Priority and fairness on the API server is the limit; a second one here only adds delay.
	config.QPS, config.Burst = -1, -1
	config.UserAgent = "muster-manager"
	return config, nil
}

// Scheme knows every kind the manager reads.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	return s, errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s))
}

func newManager(config *rest.Config, o Options) (manager.Manager, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, fmt.Errorf("build the scheme: %w", err)
	}
	stop := 10 * time.Second
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(o.Namespace),
		Metrics:                       server.Options{BindAddress: o.MetricsListen},
		HealthProbeBindAddress:        "0", // Probes are served on --listen.
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              "muster-manager",
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 ptr(60 * time.Second),
		RenewDeadline:                 ptr(40 * time.Second),
		RetryPeriod:                   ptr(10 * time.Second),
		GracefulShutdownTimeout:       &stop,
		PprofBindAddress:              pprofAddress(o),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

func ptr[T any](v T) *T { return &v }

func pprofAddress(o Options) string {
	if o.Pprof {
		return "127.0.0.1:6060"
	}
	return "0"
}

// cacheOptions narrow what is watched to what is needed: of Secrets only
// content packs, of ConfigMaps only the hub's own.
func cacheOptions(namespace string) cache.Options {
	packs, err := labels.NewRequirement(v1alpha1.LabelContent, selection.Exists, nil)
	if err != nil {
		panic(err) // A constant label is valid or never was.
	}
	own := map[string]cache.Config{namespace: {}}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:          {Namespaces: map[string]cache.Config{namespace: {LabelSelector: labels.NewSelector().Add(*packs)}}},
			&corev1.ConfigMap{}:       {Namespaces: map[string]cache.Config{namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", distribution.HubConfigMap)}}},
			&v1alpha1.Assignment{}:    {Namespaces: own},
			&v1alpha1.ClusterReport{}: {Namespaces: own},
			&v1alpha1.Rollout{}:       {Namespaces: own},
		},
	}
}

// hub holds the parts of a running manager.
type hub struct {
	hub     *distribution.Hub
	store   *distribution.SecretStore
	mirrors *source.Mirrors
	pool    *renderer.Pool
	gateway *gateway.Gateway
	clock   clock.RealClock
}

func (h *hub) close() error {
	h.pool.Close()
	return h.mirrors.Close()
}

func assemble(mgr manager.Manager, direct client.Client, key *gateway.HubKey, o Options) (*hub, error) {
	h := &hub{}
	var err error
	if h.mirrors, err = source.NewMirrors(filepath.Join(o.DataDir, "mirrors"), source.Options{}); err != nil {
		return nil, fmt.Errorf("open the Git mirrors: %w", err)
	}
	if h.pool, err = renderer.New(renderer.Options{Binary: o.RenderBinary, Workers: o.RenderWorkers}); err != nil {
		return nil, fmt.Errorf("find the renderer: %w", err)
	}
	h.hub = distribution.NewHub(direct, direct, o.Namespace)
	h.store = distribution.NewSecretStore(mgr.GetClient(), mgr.GetAPIReader(), o.Namespace)
	h.gateway = gateway.New(mgr.GetClient(), mgr.GetAPIReader(), h.store, key, gateway.Options{
		Namespace: o.Namespace, Informers: mgr.GetCache(), Metrics: metrics.Registry,
		OnHubWentBack: func(ctx context.Context, seen protocol.Header) {
			if err := h.hub.WentBack(ctx, seen); err != nil {
				klog.FromContext(ctx).Error(err, "the hub went back in time and that could not be recorded")
			}
		},
	})
	leader := newLeader(mgr, h, key, o)
	return h, errors.Join(mgr.Add(&listener{options: o, hub: h, leader: leader, cache: mgr.GetCache(), live: mgr.GetAPIReader(), client: mgr.GetClient()}), mgr.Add(leader))
}
