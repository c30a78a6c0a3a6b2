package gateway_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/gateway"
	"github.com/muster-dev/muster/internal/gateway/jointoken"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/pkg/agent/hubclient"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func TestMain(m *testing.M) { plane.Main(m) }

// patience bounds every wait of these tests.
const patience = 20 * time.Second

var namespaces atomic.Int64

// hub is a manager's namespace and a workspace on the API server, with a hub key.
type hub struct {
	tb        testing.TB
	config    *rest.Config
	api       client.Client // reads and writes live
	namespace string
	workspace string
	key       *gateway.HubKey
	store     *memoryStore
}

func newHub(tb testing.TB) *hub {
	tb.Helper()
	config := rest.CopyConfig(plane.HubForTest(tb))
	config.QPS = -1
	api, err := client.New(config, client.Options{Scheme: scheme(tb)})
	check(tb, err)
	n := namespaces.Add(1)
	h := &hub{
		tb: tb, config: config, api: api, store: &memoryStore{items: map[string][]byte{}},
		namespace: fmt.Sprintf("muster-%d", n), workspace: fmt.Sprintf("team-%d", n),
	}
	h.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.namespace}})
	h.create(namespace(h.workspace))
	h.key, err = gateway.LoadOrCreate(tb.Context(), api, h.namespace)
	check(tb, err)
	return h
}

// namespace is one that is a workspace.
func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelWorkspace: "true"}}}
}

func scheme(tb testing.TB) *runtime.Scheme {
	s := runtime.NewScheme()
	check(tb, corev1.AddToScheme(s))
	check(tb, v1alpha1.AddToScheme(s))
	return s
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func (h *hub) create(o client.Object) {
	h.tb.Helper()
	check(h.tb, h.api.Create(h.tb.Context(), o))
}

// replica is one running gateway.
type replica struct {
	hub    *hub
	url    string
	server *httptest.Server
	calls  *calls
	stop   func()
	// wentBack gets the headers that OnHubWentBack was called with.
	wentBack chan protocol.Header
}

func (h *hub) start(change ...func(*gateway.Options)) *replica {
	h.tb.Helper()
	calls := &calls{by: map[string]int{}}
	config := rest.CopyConfig(h.config)
	config.Wrap(calls.count)
	return h.startWith(config, calls, change...)
}

func (h *hub) startWith(config *rest.Config, calls *calls, change ...func(*gateway.Options)) *replica {
	h.tb.Helper()
	informers, err := cache.New(config, cache.Options{Scheme: scheme(h.tb)})
	check(h.tb, err)
	cached, err := client.New(config, client.Options{Scheme: scheme(h.tb), Cache: &client.CacheOptions{Reader: informers}})
	check(h.tb, err)
	live, err := client.New(config, client.Options{Scheme: scheme(h.tb)})
	check(h.tb, err)
	r := &replica{hub: h, calls: calls, wentBack: make(chan protocol.Header, 10)}
	opts := gateway.Options{
		Namespace: h.namespace, Informers: informers,
		OnHubWentBack: func(_ context.Context, header protocol.Header) { r.wentBack <- header },
	}
	for _, c := range change {
		c(&opts)
	}
	g := gateway.New(cached, live, h.store, h.key, opts)
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() {
		if err := informers.Start(ctx); err != nil {
			h.tb.Errorf("informers: %v", err)
		}
	})
	tasks.Go(func() {
		if err := g.Run(ctx); err != nil && ctx.Err() == nil {
			h.tb.Errorf("gateway: %v", err)
		}
	})
	r.server = httptest.NewServer(g.Handler())
	r.url = r.server.URL
	r.stop = sync.OnceFunc(func() {
		cancel()
		r.server.CloseClientConnections()
		r.server.Close()
		tasks.Wait()
	})
	h.tb.Cleanup(r.stop)
	await(h.tb, "the gateway is ready", g.Ready)
	return r
}

// await waits for something that another process does.
func await(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if done() {
			return
		}
	}
	tb.Fatalf("waited %s in vain: %s", patience, what)
}

// calls counts requests to the API by verb and resource.
type calls struct {
	mu sync.Mutex
	by map[string]int
}

func (c *calls) count(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if !strings.Contains(r.URL.RawQuery, "watch=true") {
			c.mu.Lock()
			c.by[r.Method+" "+kindOf(r.URL.Path)]++
			c.mu.Unlock()
		}
		return next.RoundTrip(r)
	})
}

// kindOf is the resource in an API path, with its subresource.
func kindOf(path string) string {
	p := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range p {
		if part == "namespaces" && i+2 < len(p) {
			return strings.Join(append([]string{p[i+2]}, p[min(i+4, len(p)):]...), "/")
		}
	}
	return p[len(p)-1]
}

// take returns the counts since the last take.
func (c *calls) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := c.by
	c.by = map[string]int{}
	return by
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// memoryStore keeps content in memory, for one workspace.
type memoryStore struct {
	mu    sync.Mutex
	items map[string][]byte // by workspace/id
}

func (s *memoryStore) Put(_ context.Context, p content.Pack) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range p.Blobs {
		s.items[p.Workspace+"/"+string(b.ID)] = b.Data
	}
	return nil
}

func (s *memoryStore) Get(_ context.Context, workspace string, id content.ID) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.items[workspace+"/"+string(id)]
	if !ok {
		return nil, content.ErrNotFound
	}
	return data, nil
}

func (s *memoryStore) Has(workspace string, id content.ID) bool {
	_, err := s.Get(context.Background(), workspace, id)
	return err == nil
}

// put stores bytes as an item and returns its id.
func (h *hub) put(data string) content.ID { return h.putIn(h.workspace, data) }

// putIn is put for a workspace that may be another's.
func (h *hub) putIn(workspace, data string) content.ID {
	id := content.IDOf([]byte(data))
	check(h.tb, h.store.Put(h.tb.Context(), content.Pack{Workspace: workspace, Blobs: []content.Blob{{ID: id, Data: []byte(data)}}}))
	return id
}

// token makes a join token and returns its text.
func (h *hub) token(url string, change func(*jointoken.Options)) string {
	h.tb.Helper()
	o := jointoken.Options{Workspace: h.workspace, Name: strings.ToLower(rand.Text()), Hub: url, Fingerprint: h.key.Fingerprint()}
	change(&o)
	object, text, err := jointoken.New(o, time.Now())
	check(h.tb, err)
	h.create(object)
	return text
}

// forCluster binds a token to a name.
func forCluster(name string) func(*jointoken.Options) {
	return func(o *jointoken.Options) { o.Cluster = name }
}

func newKey(tb testing.TB) ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(tb, err)
	return key
}

func factsOf(name string) protocol.Facts {
	return protocol.Facts{KubernetesVersion: "v1.36.3", AgentVersion: "test", KubeSystemUID: "kube-system-of-" + name}
}

// joined joins a cluster and returns its identity.
func (r *replica) joined(name string) hubclient.Identity {
	r.hub.tb.Helper()
	id, err := hubclient.Join(r.hub.tb.Context(), r.hub.token(r.url, forCluster(name)), newKey(r.hub.tb), factsOf(name), hubclient.Options{})
	check(r.hub.tb, err)
	return id
}

// client speaks for an identity, through this replica.
func (r *replica) client(id hubclient.Identity, change ...func(*hubclient.Options)) *hubclient.Client {
	r.hub.tb.Helper()
	id.HubURL = r.url
	o := hubclient.Options{Retry: 10 * time.Millisecond, MaxRetry: 50 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	c, err := hubclient.New(id, o)
	check(r.hub.tb, err)
	return c
}

// compose writes a cluster's Assignment with the given entries and returns its header's signature.
func (h *hub) compose(id hubclient.Identity, epoch, revision int64, entries ...protocol.Entry) string {
	h.tb.Helper()
	return h.composeDocument(id, protocol.Document{Epoch: epoch, Revision: revision, Entries: entries})
}

func (h *hub) composeDocument(id hubclient.Identity, doc protocol.Document) string {
	h.tb.Helper()
	name := client.ObjectKey{Namespace: h.namespace, Name: id.Workspace + "." + id.Cluster}
	var a v1alpha1.Assignment
	if err := h.api.Get(h.tb.Context(), name, &a); err != nil {
		check(h.tb, client.IgnoreNotFound(err))
		a = v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		h.create(&a)
	}
	doc.Version, doc.Hub, doc.Cluster, doc.Assignment, doc.Trust = protocol.Version, h.key.ID(), id.ClusterUID, string(a.UID), h.key.Trust()
	text, err := json.Marshal(doc)
	check(h.tb, err)
	signature, err := h.key.Sign(protocol.Header{
		Hub: doc.Hub, Cluster: doc.Cluster, Assignment: doc.Assignment, Epoch: doc.Epoch, Revision: doc.Revision,
		Digest: protocol.DigestOf(string(text)),
	})
	check(h.tb, err)
	a.Spec = v1alpha1.AssignmentSpec{Epoch: doc.Epoch, Revision: doc.Revision, Bundles: len(doc.Entries), Document: string(text), Signature: signature}
	check(h.tb, h.api.Update(h.tb.Context(), &a))
	return signature
}

// entry is an entry of bundle uid with content id.
func (h *hub) entry(uid string, id content.ID, revision int64) protocol.Entry {
	return protocol.Entry{Workspace: h.workspace, Bundle: "bundle-" + uid, UID: uid, Generation: 1, Content: string(id), Revision: revision}
}

func (h *hub) cluster(name string) *v1alpha1.Cluster {
	h.tb.Helper()
	var c v1alpha1.Cluster
	check(h.tb, h.api.Get(h.tb.Context(), client.ObjectKey{Namespace: h.workspace, Name: name}, &c))
	return &c
}

func (h *hub) report(name string) *v1alpha1.ClusterReport {
	h.tb.Helper()
	var r v1alpha1.ClusterReport
	check(h.tb, h.api.Get(h.tb.Context(), client.ObjectKey{Namespace: h.namespace, Name: h.workspace + "." + name}, &r))
	return &r
}

// watching runs a client's Follow until the test ends and returns what it delivers and why it is refused.
func watching(tb testing.TB, c *hubclient.Client, obeyed string) (<-chan hubclient.Update, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	updates := make(chan hubclient.Update, 100)
	var task sync.WaitGroup
	task.Go(func() {
		// It ends with the test.
		_ = c.Follow(ctx, func() protocol.Mark { return protocol.Mark{Signature: obeyed} }, func(u hubclient.Update) { updates <- u })
	})
	stop := func() { cancel(); task.Wait() }
	tb.Cleanup(stop)
	return updates, stop
}

func next[T any](tb testing.TB, what string, from <-chan T) T {
	tb.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		tb.Fatalf("waited %s in vain: %s", patience, what)
		panic("unreachable")
	}
}

// codeOf is the code of a refusal, or the error's text.
func codeOf(err error) string {
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
