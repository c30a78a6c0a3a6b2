package agent_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/pkg/agent"
	"github.com/muster-dev/muster/pkg/agent/kube"
	"github.com/muster-dev/muster/pkg/agent/loop"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func TestMain(m *testing.M) { plane.Main(m) }

const clusterUID = "0c1d2e3f-cluster"

// hub is a gateway in memory that signs what a test assigns.
type hub struct {
	key   ed25519.PrivateKey
	trust protocol.TrustSet

	mu       sync.Mutex
	document protocol.Document
	envelope protocol.Envelope
	contents map[string][]byte
	reports  []protocol.Report
	fetches  int
	asked    map[string]bool // contents
	changed  chan struct{}
	refusal  *protocol.Error
	pushed   int
}

var _ agent.Hub = (*hub)(nil)

func newHub(tb testing.TB) *hub {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	h := &hub{key: private, contents: map[string][]byte{}, asked: map[string]bool{}, changed: make(chan struct{})}
	h.trust = protocol.TrustSet{HubKeys: []string{protocol.EncodeKey(public)}}
	h.document = protocol.Document{Version: protocol.Version, Hub: "hub", Cluster: clusterUID, Assignment: "assignment-1", Epoch: 1, Trust: h.trust}
	return h
}

func (h *hub) Watch(ctx context.Context, mark protocol.Mark, deliver func(protocol.Envelope)) error {
	for seen := 0; ; {
		h.mu.Lock()
		envelope, document, changed, refusal, pushed := h.envelope, h.document, h.changed, h.refusal, h.pushed
		h.mu.Unlock()
		if refusal != nil {
			return refusal
		}
		at := protocol.Mark{Assignment: document.Assignment, Epoch: document.Epoch, Revision: document.Revision}
		if document.Revision > 0 && !mark.Equal(at) || pushed > seen {
			deliver(envelope)
			mark, seen = at, pushed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *hub) Content(_ context.Context, id string) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetches++
	h.asked[id] = true
	data, ok := h.contents[id]
	if !ok {
		return nil, errors.New("no such content")
	}
	return data, nil
}

func (h *hub) Report(_ context.Context, r protocol.Report) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := r.Check(); err != nil {
		return err
	}
	h.reports = append(h.reports, r)
	return nil
}

// assign signs and delivers the next document.
func (h *hub) assign(tb testing.TB, change func(d *protocol.Document)) {
	tb.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.document.Revision++
	change(&h.document)
	text, err := json.Marshal(h.document)
	if err != nil {
		tb.Fatal(err)
	}
	header := protocol.Header{
		Hub: "hub", Cluster: clusterUID, Assignment: h.document.Assignment, Epoch: h.document.Epoch, Revision: h.document.Revision,
		Digest: protocol.DigestOf(string(text)),
	}
	signature, err := protocol.SignHeader(h.key, header)
	if err != nil {
		tb.Fatal(err)
	}
	h.envelope = protocol.Envelope{Signature: signature, Document: string(text)}
	close(h.changed)
	h.changed = make(chan struct{})
}

// put stores a bundle's content and returns its entry.
func (h *hub) put(tb testing.TB, uid string, generation int64, options content.Options, objects ...content.Object) protocol.Entry {
	tb.Helper()
	item := content.Item{Version: content.Version, Kind: content.KindManifests, Bundle: "bundle-" + uid, Options: options, Objects: objects}
	data, id, err := item.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.contents[string(id)] = data
	return protocol.Entry{Workspace: "default", Bundle: "bundle-" + uid, UID: uid, Generation: generation, Content: string(id), Revision: generation}
}

func (h *hub) last() (protocol.Report, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reports) == 0 {
		return protocol.Report{}, 0
	}
	return h.reports[len(h.reports)-1], len(h.reports)
}

func (h *hub) revision() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.document.Revision
}

// world is one test's cluster namespace, hub and agent.
type world struct {
	*testing.T
	hub       *hub
	config    *rest.Config
	client    dynamic.Interface
	namespace string // of objects
	state     string // of the agent
	stop      func()
	requests  *counter
}

var worlds = struct {
	sync.Mutex
	n int
}{}

func newWorld(t *testing.T) *world {
	t.Helper()
	config := plane.ForTest(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	worlds.Lock()
	worlds.n++
	n := worlds.n
	worlds.Unlock()
	w := &world{T: t, hub: newHub(t), config: config, client: client, namespace: fmt.Sprintf("w%d", n), state: fmt.Sprintf("agent%d", n)}
	w.create("", "v1", "namespaces", namespace(w.state))
	t.Cleanup(w.clean)
	return w
}

func namespace(name string) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}
}

// start runs an agent; halt ends it.
func (w *world) start() { w.startWith(w.hub) }

func (w *world) startWith(h agent.Hub) {
	w.Helper()
	config := rest.CopyConfig(w.config)
	w.requests = &counter{}
	config.Wrap(w.requests.wrap)
	w.startOn(config, h)
}

// counter counts the requests of an agent, and may refuse some.
type counter struct {
	mu     sync.Mutex
	lines  []string
	refuse func(r *http.Request) error
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		c.mu.Lock()
		c.lines = append(c.lines, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
		refuse := c.refuse
		c.mu.Unlock()
		if refuse != nil {
			if err := refuse(r); err != nil {
				return nil, err
			}
		}
		return next.RoundTrip(r)
	})
}

// take returns the requests since the last call.
func (c *counter) take() (all, writes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all = c.lines
	c.lines = nil
	for _, l := range all {
		if !strings.HasPrefix(l, "GET") {
			writes = append(writes, l)
		}
	}
	return all, writes
}

func (c *counter) refusing(f func(r *http.Request) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = f
}

func (w *world) startOn(config *rest.Config, h agent.Hub) {
	w.Helper()
	client, err := kube.New(config, w.state, "muster-agent/test")
	if err != nil {
		w.Fatal(err)
	}
	var log *slog.Logger
	if os.Getenv("AGENT_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	l, err := loop.New(client, h, loop.Options{Cluster: clusterUID, Trust: w.hub.trust, Version: "test", Log: log})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("agent: %v", err)
		}
	}
}

// clean ends the agent and removes what could be taken for another test's:
// the tests share one API server and, without a controller, namespaces stay.
func (w *world) clean() {
	w.halt()
	for _, r := range []dynamic.ResourceInterface{
		w.resource(w.namespace, "v1", "configmaps"), w.resource(w.namespace, "v1", "secrets"),
		w.resource("", "apiextensions.k8s.io/v1", "customresourcedefinitions"),
	} {
		err := r.DeleteCollection(context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "muster.dev/bundle"})
		if err != nil {
			w.Errorf("clean: %v", err)
		}
	}
	patch := []byte(`{"metadata":{"labels":{"muster.dev/bundle":null}}}`)
	_, err := w.resource("", "v1", "namespaces").Patch(context.Background(), w.namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil && !kube.IsGone(err) {
		w.Errorf("clean: %v", err)
	}
}

func (w *world) halt() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

func (w *world) resource(namespace, version, plural string) dynamic.ResourceInterface {
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		w.Fatal(err)
	}
	r := w.client.Resource(gv.WithResource(plural))
	if namespace == "" {
		return r
	}
	return r.Namespace(namespace)
}

func (w *world) create(namespace, version, plural string, object map[string]any) *unstructured.Unstructured {
	w.Helper()
	u, err := w.resource(namespace, version, plural).Create(context.Background(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{FieldManager: "somebody"})
	if err != nil {
		w.Fatal(err)
	}
	return u
}

func (w *world) get(namespace, version, plural, name string) *unstructured.Unstructured {
	w.Helper()
	u, err := w.resource(namespace, version, plural).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return u
}

func (w *world) gone(namespace, version, plural, name string) bool {
	_, err := w.resource(namespace, version, plural).Get(context.Background(), name, metav1.GetOptions{})
	return kube.IsGone(err)
}

func (w *world) configMap(name string) *unstructured.Unstructured {
	w.Helper()
	return w.get(w.namespace, "v1", "configmaps", name)
}

// eventually waits until f holds, as end-to-end tests have to.
func (w *world) eventually(what string, f func() bool) {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	report, n := w.hub.last()
	report.Facts = nil
	text, err := json.Marshal(report)
	w.Fatalf("not within 20 s: %s\nreport %d: %s %v", what, n, text, err)
}

// ready waits until the newest document is reported with every entry Ready.
func (w *world) ready() protocol.Report {
	w.Helper()
	var report protocol.Report
	w.eventually("everything Ready at the newest revision", func() bool {
		report, _ = w.hub.last()
		return report.Revision == w.hub.revision() && report.NotReady == 0
	})
	return report
}

// reported waits for a bundle's state at the newest revision.
func (w *world) reported(uid string, state protocol.State) protocol.BundleReport {
	w.Helper()
	var found protocol.BundleReport
	w.eventually(fmt.Sprintf("bundle %s reported %s", uid, state), func() bool {
		report, _ := w.hub.last()
		if report.Revision != w.hub.revision() {
			return false
		}
		for _, b := range report.Bundles {
			if b.UID == uid && b.State == state {
				found = b
				return true
			}
		}
		return false
	})
	return found
}

func object(version, kind, namespace, name string, fields map[string]any) content.Object {
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		panic(err)
	}
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := map[string]any{"apiVersion": version, "kind": kind, "metadata": metadata}
	for k, v := range fields {
		o[k] = v
	}
	data, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return content.Object{Key: content.NewKey(gv.Group, kind, namespace, name), Manifest: data}
}

func (w *world) cm(name, value string) content.Object {
	return object("v1", "ConfigMap", w.namespace, name, map[string]any{"data": map[string]any{"key": value}})
}

func (w *world) ns() content.Object {
	return object("v1", "Namespace", "", w.namespace, nil)
}

func (w *world) entries(entries ...protocol.Entry) {
	w.Helper()
	w.hub.assign(w.T, func(d *protocol.Document) { d.Entries, d.Removals, d.Handovers = entries, nil, nil })
}

// removal assigns nothing but one removal.
func (w *world) removal(r protocol.Removal) {
	w.Helper()
	w.hub.assign(w.T, func(d *protocol.Document) {
		d.Entries, d.Handovers, d.Removals = nil, nil, []protocol.Removal{r}
	})
}

// headGone waits until the newest report lacks a bundle's inventory.
func (w *world) headGone(uid string) {
	w.Helper()
	w.eventually("no inventory of "+uid, func() bool {
		report, _ := w.hub.last()
		if report.Revision != w.hub.revision() {
			return false
		}
		for _, h := range report.Heads {
			if h.UID == uid {
				return false
			}
		}
		return true
	})
}

// message waits until the agent says something of itself.
func (w *world) message(part string) {
	w.Helper()
	w.eventually("a message with "+part, func() bool {
		report, _ := w.hub.last()
		return strings.Contains(strings.Join(report.Messages, "\n"), part)
	})
}

// settle waits until the agent has made no request for a while: what it would
// do by mistake it does within that.
func (w *world) settle() {
	w.Helper()
	count := func() int {
		w.requests.mu.Lock()
		defer w.requests.mu.Unlock()
		return len(w.requests.lines)
	}
	last, since := count(), time.Now()
	w.eventually("quiet", func() bool {
		if n := count(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 700*time.Millisecond
	})
}

// push delivers an envelope as it is.
func (h *hub) push(e protocol.Envelope) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.envelope = e
	h.pushed++
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *hub) refuse(e *protocol.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusal = e
	close(h.changed)
	h.changed = make(chan struct{})
}
