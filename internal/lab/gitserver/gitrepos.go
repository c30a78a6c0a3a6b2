package gitserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"net/url"
	"path"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

var (
	gitRepos = schema.GroupVersionResource{Group: "muster.dev", Version: "v1alpha1", Resource: "gitrepos"}
	secrets  = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
)

// Followers are the GitRepos on the hub that name this server, kept by a watch
// so that a push costs the hub no request.
type Followers struct {
	client  dynamic.Interface
	gateway string
	host    string

	mu      sync.Mutex // guards followers
	current map[string]follower
}

type follower struct {
	namespace, name string
	repository      string // as Push.Repository
	url             string
	secret          string // the Secret's name
	hook            *Hook  // nil without spec.webhookSecret
}

// NewFollowers watches through config for GitRepos whose URL has this host;
// gateway is the manager's address.
func NewFollowers(config *rest.Config, gateway, host string) (*Followers, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("watch GitRepos: %w", err)
	}
	return &Followers{client: client, gateway: gateway, host: host, current: map[string]follower{}}, nil
}

// Run follows the hub until ctx ends.
func (f *Followers) Run(ctx context.Context) error {
	all := f.client.Resource(gitRepos)
	source := &cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return all.List(ctx, o) },
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return all.Watch(ctx, o) },
	}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: source, ObjectType: &unstructured.Unstructured{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { f.set(ctx, o) },
			UpdateFunc: func(_, o any) { f.set(ctx, o) },
			DeleteFunc: f.forget,
		},
	})
	informer.RunWithContext(ctx)
	return ctx.Err()
}

func (f *Followers) set(ctx context.Context, object any) {
	repo, ok := object.(*unstructured.Unstructured)
	if !ok {
		return
	}
	next, mine := f.read(ctx, repo)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.current, repo.GetNamespace()+"/"+repo.GetName())
	if mine {
		f.current[repo.GetNamespace()+"/"+repo.GetName()] = next
	}
}

func (f *Followers) forget(object any) {
	if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
		f.mu.Lock()
		delete(f.current, key)
		f.mu.Unlock()
	}
}

// read turns a GitRepo into a follower, if it names this server.
func (f *Followers) read(ctx context.Context, repo *unstructured.Unstructured) (follower, bool) {
	// A field that is missing or of another type counts as empty.
	address, _, _ := unstructured.NestedString(repo.Object, "spec", "repo")
	hookPath, _, _ := unstructured.NestedString(repo.Object, "status", "webhookPath")
	secret, _, _ := unstructured.NestedString(repo.Object, "spec", "webhookSecret")
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host != f.host {
		return follower{}, false
	}
	next := follower{namespace: repo.GetNamespace(), name: repo.GetName(), repository: path.Clean(parsed.Path)[1:], url: address, secret: secret}
	if hookPath == "" || secret == "" {
		return next, true
	}
	next.hook = f.hook(ctx, next, hookPath)
	return next, true
}

// hook reads the secret once per GitRepo, path and secret name.
func (f *Followers) hook(ctx context.Context, next follower, hookPath string) *Hook {
	target := f.gateway + hookPath
	f.mu.Lock()
	old := f.current[next.namespace+"/"+next.name]
	f.mu.Unlock()
	if old.hook != nil && old.hook.URL == target && old.secret == next.secret {
		return old.hook
	}
	key, err := f.secret(ctx, next.namespace, next.secret)
	if err != nil {
		log.Printf("webhook of GitRepo %s/%s: %v", next.namespace, next.name, err)
		return nil
	}
	return &Hook{URL: target, Secret: key}
}

func (f *Followers) secret(ctx context.Context, namespace, name string) ([]byte, error) {
	object, err := f.client.Resource(secrets).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read webhook secret: %w", err)
	}
	for _, key := range []string{"token", "secret"} {
		if value, ok, err := unstructured.NestedString(object.Object, "data", key); ok && err == nil {
			return base64.StdEncoding.DecodeString(value)
		}
	}
	return nil, errors.New("webhook secret has neither `token` nor `secret`")
}

// Tell reaches every GitRepo that names what was pushed: by its webhook, or
// where it has none by asking for a sync.
func (f *Followers) Tell(ctx context.Context, p Push) {
	f.mu.Lock()
	var told []follower
	for _, one := range f.current {
		if one.repository == p.Repository {
			told = append(told, one)
		}
	}
	f.mu.Unlock()
	for _, one := range told {
		go func() {
			if err := f.tell(ctx, one, p); err != nil {
				log.Printf("tell GitRepo %s/%s of %s: %v", one.namespace, one.name, p.After, err)
			}
		}()
	}
}

// attempts and pause bound how long a manager that is just starting is retried.
const (
	attempts = 3
	pause    = time.Second
)

func (f *Followers) tell(ctx context.Context, one follower, p Push) (err error) {
	if one.hook == nil {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"muster.dev/sync":%q}}}`, p.After)
		_, err := f.client.Resource(gitRepos).Namespace(one.namespace).Patch(ctx, one.name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	}
	for range attempts {
		if err = one.hook.Deliver(ctx, one.url, p); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return err
}
