package manager

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	crcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/internal/receiver"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// listener serves agents, webhooks and probes, on every replica.
type listener struct {
	options Options
	hub     *hub
	leader  *leader
	cache   crcache.Cache
	live    client.Reader
	client  client.Client
}

// NeedLeaderElection lets every replica serve.
func (l *listener) NeedLeaderElection() bool { return false }

// Start serves until ctx ends.
func (l *listener) Start(ctx context.Context) error {
	if err := l.followContent(ctx); err != nil {
		return err
	}
	if err := l.followHooks(ctx); err != nil {
		return err
	}
	server := gateway.NewServer(l.options.Listen, l.handler(ctx))
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	socket, err := net.Listen("tcp", l.options.Listen)
	if err != nil {
		return fmt.Errorf("listen for agents and webhooks: %w", err)
	}
	errs := make(chan error, 2)
	go func() { errs <- l.hub.gateway.Run(ctx) }()
	go func() { errs <- l.serve(server, socket) }()
	select {
	case err = <-errs:
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if shutdown := server.Shutdown(stop); shutdown != nil {
		shutdown = server.Close() // Streams never end by themselves.
		err = errors.Join(err, shutdown)
	}
	return err
}

func (l *listener) serve(server *http.Server, socket net.Listener) error {
	var err error
	if l.options.TLSCertFile != "" {
		err = server.ServeTLS(socket, l.options.TLSCertFile, l.options.TLSKeyFile)
	} else {
		err = server.Serve(socket)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve agents and webhooks on %s: %w", l.options.Listen, err)
}

func (l *listener) handler(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/agent/v1/", l.hub.gateway.Handler())
	mux.Handle("/hooks/", receiver.NewHandler(l.leader.hooks.Lookup, func(key string) { l.trigger(ctx, key) }, receiver.Options{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !l.hub.gateway.Ready() {
			http.Error(w, "caches are not filled yet", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	return mux
}

// trigger has a GitRepo looked at: by this replica if it leads, else by the
// one that does, through the annotation that people use too.
func (l *listener) trigger(ctx context.Context, key string) {
	if l.leader.leading.Load() {
		l.leader.repos.Ask(key)
		return
	}
	go l.annotate(ctx, key)
}

func (l *listener) annotate(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	workspace, name, _ := strings.Cut(key, "/")
	g := &v1alpha1.GitRepo{}
	g.Namespace, g.Name = workspace, name
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationSync, "webhook-"+strconv.FormatInt(l.hub.clock.Now().UnixNano(), 36))
	if err := l.client.Patch(ctx, g, client.RawPatch("application/merge-patch+json", []byte(patch))); client.IgnoreNotFound(err) != nil {
		klog.FromContext(ctx).Error(err, "webhook not passed on to the leader; the next poll will see the push", "repo", key)
	}
}

// followContent keeps the index of packs complete on every replica.
func (l *listener) followContent(ctx context.Context) error {
	informer, err := l.cache.GetInformer(ctx, &corev1.Secret{})
	if err != nil {
		return fmt.Errorf("watch content: %w", err)
	}
	observe := func(s *corev1.Secret) {
		if err := l.hub.store.Observe(s); err != nil {
			klog.FromContext(ctx).Error(err, "pack ignored")
		}
	}
	_, err = informer.AddEventHandler(on(observe, nil, func(s *corev1.Secret) { l.hub.store.Gone(s) }))
	return err
}

// followHooks keeps webhook paths known on every replica.
func (l *listener) followHooks(ctx context.Context) error {
	informer, err := l.cache.GetInformer(ctx, &v1alpha1.GitRepo{})
	if err != nil {
		return fmt.Errorf("watch GitRepos: %w", err)
	}
	refresh := func(g *v1alpha1.GitRepo) {
		if err := l.leader.hooks.Refresh(ctx, l.live, g, l.hub.clock.Now()); err != nil {
			klog.FromContext(ctx).Error(err, "webhook not served", "repo", key(g))
		}
	}
	_, err = informer.AddEventHandler(on(refresh, func(_, g *v1alpha1.GitRepo) { refresh(g) }, func(g *v1alpha1.GitRepo) { l.leader.hooks.Drop(key(g)) }))
	return err
}
