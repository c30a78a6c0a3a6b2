package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/internal/controller/status"
	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/internal/manager"
	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	log.SetLogger(logr.Discard())
	plane.Main(m)
}

var namespaces atomic.Int64

// world is one workspace with its manager's namespace on the API server.
type world struct {
	t         *testing.T
	config    *rest.Config
	api       client.Client // not counted, never fails
	machine   string
	workspace string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	config := rest.CopyConfig(plane.HubForTest(t))
	config.QPS = -1
	n := namespaces.Add(1)
	w := &world{t: t, config: config, machine: fmt.Sprintf("machine-%d", n), workspace: fmt.Sprintf("team-%d", n)}
	w.api = w.client(config)
	for _, name := range []string{w.machine, w.workspace} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelWorkspace: "true"}}}
		check(t, w.api.Create(t.Context(), ns))
	}
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) client(config *rest.Config) client.Client {
	w.t.Helper()
	scheme, err := manager.Scheme()
	check(w.t, err)
	c, err := client.New(config, client.Options{Scheme: scheme})
	check(w.t, err)
	return c
}

// cluster makes a joined cluster.
func (w *world) cluster(name string, labels map[string]string) {
	w.t.Helper()
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: name, Labels: labels}}
	check(w.t, w.api.Create(w.t.Context(), c))
	c.Status.Identity = &v1alpha1.ClusterIdentity{UID: "uid-of-" + name, Keys: []v1alpha1.AgentKey{}}
	check(w.t, w.api.Status().Update(w.t.Context(), c))
}

// facts says what a cluster's agent reported about it.
func (w *world) facts(name, kubeVersion string) {
	w.t.Helper()
	var c v1alpha1.Cluster
	check(w.t, w.api.Get(w.t.Context(), client.ObjectKey{Namespace: w.workspace, Name: name}, &c))
	c.Status.Facts = &v1alpha1.ClusterFacts{KubernetesVersion: kubeVersion}
	check(w.t, w.api.Status().Update(w.t.Context(), &c))
}

// label replaces a cluster's labels.
func (w *world) label(name string, labels map[string]string) {
	w.t.Helper()
	w.editCluster(name, func(c *v1alpha1.Cluster) { c.Labels = labels })
}

func (w *world) editCluster(name string, edit func(*v1alpha1.Cluster)) {
	w.t.Helper()
	var c v1alpha1.Cluster
	check(w.t, w.api.Get(w.t.Context(), client.ObjectKey{Namespace: w.workspace, Name: name}, &c))
	edit(&c)
	check(w.t, w.api.Update(w.t.Context(), &c))
}

// calls counts requests that write, and refuses all from a given one on: the
// process is dead to the API server from then.
type calls struct {
	mu     sync.Mutex // guards the fields below
	writes []string
	// reads are GETs of ConfigMaps and Secrets in the workspace, such as "ConfigMap/name".
	reads []string
	left  int // writes still to be let through; negative: any number
	// refused is a write such as "POST bundles" that the API server rejects.
	refused string
	// before is called ahead of every request, outside the lock.
	before func(*http.Request)
}

var errDead = errors.New("the process died")

func (c *calls) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		c.mu.Lock()
		before := c.before
		c.mu.Unlock()
		if before != nil {
			before(r)
		}
		c.read(r)
		if r.Method != http.MethodGet && !c.allow(r) {
			return nil, errDead
		}
		return next.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *calls) allow(r *http.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 || c.refused == r.Method+" "+resourceOf(r.URL.Path) {
		return false
	}
	if c.left > 0 {
		c.left--
	}
	c.writes = append(c.writes, r.Method+" "+resourceOf(r.URL.Path))
	return true
}

// read notes a GET of a ConfigMap or Secret outside of the machine's namespace.
func (c *calls) read(r *http.Request) {
	resource := resourceOf(r.URL.Path)
	if r.Method != http.MethodGet || strings.Contains(r.URL.Path, "/machine-") || resource != "configmaps" && resource != "secrets" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads = append(c.reads, resource+"/"+path.Base(r.URL.Path))
}

// takeReads returns the reads since the last time, in order.
func (c *calls) takeReads() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.reads
	c.reads = nil
	return out
}

// resourceOf is the resource of a path such as /apis/g/v/namespaces/ns/resource/name.
func resourceOf(path string) string {
	p := strings.Split(path, "/")
	if i := slices.Index(p, "namespaces"); i >= 0 && len(p) > i+2 {
		return p[i+2]
	}
	return p[len(p)-1]
}

// take returns the writes since the last time, sorted.
func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.writes
	c.writes = nil
	sort.Strings(out)
	return out
}

// hub is one manager process: what it remembers is lost by starting another.
type hub struct {
	*world
	calls     *calls
	client    client.Client
	store     *distribution.SecretStore
	reader    *distribution.Reader
	state     *distribution.Hub
	composer  *distribution.Composer
	deployer  *distribution.Deployer
	clock     *testingclock.FakePassiveClock
	rendered  atomic.Int64
	rendering func()                      // called in every render, if set
	failing   func(renderer.Inputs) error // why a render has no result, if set
	archives  map[string][]string         // objects of fetched charts, by the archive's digest
	status    *status.Controller          // told of what changes, if there is one

	mu    sync.Mutex // guards dirty
	dirty map[string]bool
}

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// process starts a manager that knows only what is stored, as a leader does.
func (w *world) process() *hub { return w.mortal(-1) }

// mortal starts a manager that dies after that many writes.
func (w *world) mortal(writes int) *hub {
	w.t.Helper()
	h := &hub{world: w, calls: &calls{left: -1}, clock: testingclock.NewFakePassiveClock(start), dirty: map[string]bool{}}
	config := rest.CopyConfig(w.config)
	config.Wrap(h.calls.wrap)
	h.client = w.client(config)
	h.store = distribution.NewSecretStore(h.client, h.client, w.machine)
	h.reader = distribution.NewReader(h.store)
	h.state = distribution.NewHub(h.client, h.client, w.machine)
	h.composer = distribution.NewComposer(h.client, distribution.ComposerOptions{
		Store: h.store, Reader: h.reader, Signer: signer{}, Hub: h.state, Namespace: w.machine, Clock: h.clock,
		Dirty: h.mark,
		Touched: func(bundle string, clusters []string) {
			if h.status != nil {
				h.status.Touched(bundle, clusters)
			}
		},
		Written: func(cluster string) {
			if h.status != nil {
				h.status.ClusterChanged(cluster)
			}
		},
	})
	h.deployer = &distribution.Deployer{
		Client: h.client, Store: h.store, Reader: h.reader, Render: h.render, Composer: h.composer, Namespace: w.machine, Clock: h.clock,
		HubObjects: distribution.NewHubObjects(h.client, h.clock),
	}
	check(w.t, h.state.Load(w.t.Context(), start, distribution.About{ID: "hub"}))
	h.calls.take()
	h.calls.left = writes
	h.learn()
	return h
}

// learn does what a leader does before it acts.
func (h *hub) learn() {
	h.t.Helper()
	ctx := h.t.Context()
	check(h.t, h.store.Refresh(ctx))
	check(h.t, h.composer.Load(ctx))
	var rollouts v1alpha1.RolloutList
	check(h.t, h.client.List(ctx, &rollouts, client.InNamespace(h.machine)))
	for i := range rollouts.Items {
		h.composer.Observe(ctx, &rollouts.Items[i], h.storedBundle(rollouts.Items[i].Spec.Bundle))
	}
}

func (h *hub) mark(cluster string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirty[cluster] = true
}

func (h *hub) takeDirty() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for c := range h.dirty {
		all = append(all, c)
	}
	clear(h.dirty)
	sort.Strings(all)
	return all
}

// compose composes until nothing is dirty; it returns the first error.
func (h *hub) compose() error {
	var first error
	for {
		dirty := h.takeDirty()
		if len(dirty) == 0 {
			return first
		}
		h.clock.SetTime(h.clock.Now().Add(time.Minute))
		for _, cluster := range dirty {
			workspace, name, _ := strings.Cut(cluster, "/")
			if _, err := h.composer.Compose(h.t.Context(), workspace, name); err != nil && first == nil {
				first = err
			}
		}
	}
}

// deploy deploys and composes; nothing may fail.
func (h *hub) deploy(desired ...distribution.Desired) {
	h.t.Helper()
	for key, err := range h.deployer.Deploy(h.t.Context(), h.workspace, desired) {
		h.t.Fatalf("deploy %s: %v", key, err)
	}
	check(h.t, h.compose())
}

// redeploy does what the bundle controller does after a label moved.
func (h *hub) redeploy(names ...string) {
	h.t.Helper()
	for _, name := range names {
		h.deploy(distribution.Desired{Bundle: h.mustBundle(name), OwnAct: true})
	}
}

// remove lets bundles go as a GitRepo controller does, and finishes them.
func (h *hub) remove(names ...string) map[string]v1alpha1.Hold {
	h.t.Helper()
	var departing []distribution.Departing
	for _, name := range names {
		b := h.mustBundle(name)
		departing = append(departing, distribution.Departing{Bundle: b, Approve: b.Annotations[v1alpha1.AnnotationApprove]})
	}
	holds, err := h.deployer.Remove(h.t.Context(), h.workspace, departing)
	check(h.t, err)
	check(h.t, h.compose())
	for _, name := range names {
		if b := h.storedBundle(name); b != nil && !b.DeletionTimestamp.IsZero() {
			_, err := h.deployer.Finish(h.t.Context(), b)
			check(h.t, err)
		}
	}
	return holds
}

// all brings everything stored to rest, as the controllers of a new process would.
func (h *hub) all() {
	h.t.Helper()
	var bundles v1alpha1.BundleList
	check(h.t, h.client.List(h.t.Context(), &bundles, client.InNamespace(h.workspace)))
	for i := range bundles.Items {
		b := &bundles.Items[i]
		if b.DeletionTimestamp.IsZero() {
			h.deploy(distribution.Desired{Bundle: b, OwnAct: true})
		} else {
			h.remove(b.Name)
		}
	}
	var clusters v1alpha1.ClusterList
	check(h.t, h.client.List(h.t.Context(), &clusters, client.InNamespace(h.workspace)))
	for _, c := range clusters.Items {
		h.mark(h.workspace + "/" + c.Name)
	}
	check(h.t, h.compose())
}

func (w *world) storedBundle(name string) *v1alpha1.Bundle {
	w.t.Helper()
	var b v1alpha1.Bundle
	err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: w.workspace, Name: name}, &b)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return &b
}

func (w *world) mustBundle(name string) *v1alpha1.Bundle {
	w.t.Helper()
	b := w.storedBundle(name)
	if b == nil {
		w.t.Fatalf("no Bundle %s", name)
	}
	return b
}

// annotate approves a hold on a Bundle.
func (w *world) approve(name, hold string) {
	w.t.Helper()
	b := w.mustBundle(name)
	b.Annotations = map[string]string{v1alpha1.AnnotationApprove: hold, v1alpha1.AnnotationApprovedBy: "jo", v1alpha1.AnnotationApproveReason: "meant"}
	check(w.t, w.api.Update(w.t.Context(), b))
}

func (w *world) rollout(name string) *v1alpha1.Rollout {
	w.t.Helper()
	var r v1alpha1.Rollout
	check(w.t, w.api.Get(w.t.Context(), client.ObjectKey{Namespace: w.machine, Name: w.workspace + "." + name}, &r))
	return &r
}

// document reads what an agent would be served.
func (w *world) document(cluster string) protocol.Document {
	w.t.Helper()
	var a v1alpha1.Assignment
	var d protocol.Document
	err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: w.machine, Name: w.workspace + "." + cluster}, &a)
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	if err != nil || a.Spec.Document == "" {
		return d
	}
	check(w.t, json.Unmarshal([]byte(a.Spec.Document), &d))
	return d
}

// says renders a document for people: "app@1 -old k:a>b retain:app".
func (w *world) says(cluster string) string {
	w.t.Helper()
	d := w.document(cluster)
	names := map[string]string{}
	var out []string
	for _, e := range d.Entries {
		names[e.UID] = e.Bundle
		out = append(out, fmt.Sprintf("%s@%d", e.Bundle, e.Generation))
	}
	for _, r := range d.Removals {
		names[r.UID] = r.Bundle
		out = append(out, "-"+r.Bundle)
	}
	for _, h := range d.Handovers {
		out = append(out, fmt.Sprintf("%s:%s>%s", h.Key, names[h.From], names[h.To]))
	}
	for _, uid := range d.Retain {
		out = append(out, "retain:"+names[uid])
	}
	return strings.Join(out, " ")
}

func (w *world) wantSays(cluster, want string) {
	w.t.Helper()
	if got := w.says(cluster); got != want {
		w.t.Errorf("document of %s says %q, want %q", cluster, got, want)
	}
}

// fromGit is a bundle as a GitRepo controller wants it; objects are "kind/name" or "kind/name=value".
func (w *world) fromGit(name string, objects ...string) distribution.Desired {
	b := &v1alpha1.Bundle{}
	b.Namespace, b.Name, b.Labels = w.workspace, name, map[string]string{v1alpha1.LabelGitRepo: "repo"}
	inputs := &distribution.Inputs{Kind: bundle.KindRaw, Files: filesOf(objects)}
	blob, err := inputs.Encode()
	check(w.t, err)
	b.Spec.Source = &v1alpha1.BundleSource{GitRepo: "repo", Path: name, Identity: string(blob.ID), Commit: "c-" + string(blob.ID[:6])}
	b.Spec.Targets = []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterSelector: &metav1.LabelSelector{}}}}
	return distribution.Desired{Bundle: b, Inputs: inputs}
}

// chart makes a bundle one of a chart, which may ask about clusters.
func chart(d distribution.Desired) distribution.Desired {
	d.Inputs.Kind = bundle.KindHelm
	d.Inputs.Files = append(d.Inputs.Files, bundle.File{Path: "Chart.yaml", Data: []byte("apiVersion: v2\nname: c\nversion: 1.0.0\n")})
	return d
}

// contentOn reads what a cluster's document wants of its only bundle.
func (h *hub) contentOn(cluster string) (content.ID, content.Item) {
	h.t.Helper()
	entries := h.document(cluster).Entries
	if len(entries) != 1 {
		h.t.Fatalf("document of %s: %+v", cluster, entries)
	}
	id := content.ID(entries[0].Content)
	data, err := h.store.Get(h.t.Context(), h.workspace, id)
	check(h.t, err)
	var item content.Item
	check(h.t, json.Unmarshal(data, &item))
	return id, item
}

// wantRenders checks how often anything was rendered since the last time.
func (h *hub) wantRenders(want int64) {
	h.t.Helper()
	if got := h.rendered.Swap(0); got != want {
		h.t.Errorf("rendered %d times, want %d", got, want)
	}
}

func only(d distribution.Desired, labels map[string]string) distribution.Desired {
	d.Bundle.Spec.Targets[0].ClusterSelector = &metav1.LabelSelector{MatchLabels: labels}
	return d
}

func filesOf(objects []string) []bundle.File {
	var files []bundle.File
	for i, o := range objects {
		id, value, _ := strings.Cut(o, "=")
		kind, name, _ := strings.Cut(id, "/")
		text := fmt.Sprintf("apiVersion: v1\nkind: %s\nmetadata: {name: %s, namespace: x}\ndata: {v: %q}\n", kind, name, value)
		files = append(files, bundle.File{Path: fmt.Sprintf("%03d.yaml", i), Data: []byte(text)})
	}
	return files
}

// render is a renderer in this process: every file is one object. A ConfigMap
// whose value is "ask QUESTION" asks about the cluster and shows the answer; one
// whose value is "random" draws a value, as a chart does that makes a password.
func (h *hub) render(_ context.Context, in renderer.Inputs) (content.Item, error) {
	n := h.rendered.Add(1)
	if h.rendering != nil {
		h.rendering()
	}
	if h.failing != nil {
		if err := h.failing(in); err != nil {
			return content.Item{}, err
		}
	}
	item := content.Item{Version: content.Version, Kind: content.KindManifests, Bundle: in.Bundle, Options: renderer.ContentOptions(in)}
	for _, f := range in.Files {
		if strings.HasPrefix(f.Path, ".muster/charts/") {
			for _, made := range filesOf(h.archives[digestOf(f.Data)]) {
				check(h.t, renderFile(&item, in, made, n))
			}
			continue
		}
		if err := renderFile(&item, in, f, n); err != nil {
			return item, &renderer.Problem{Problem: bundle.Problem{File: f.Path, Message: err.Error()}}
		}
	}
	if in.Context != nil {
		item.Objects = append(item.Objects, shownAs("context", json.RawMessage(fmt.Sprintf("%q", in.Context.ClusterName))))
	}
	for i, v := range in.HubValues {
		item.Objects = append(item.Objects, shownAs(fmt.Sprintf("values-%d", i), v))
	}
	for i, v := range in.Copied {
		item.Objects = append(item.Objects, shownAs(fmt.Sprintf("copied-%d", i), v))
	}
	return item, nil
}

func shownAs(name string, v json.RawMessage) content.Object {
	return content.Object{Key: content.NewKey("", "ConfigMap", "x", name), Manifest: v}
}

func renderFile(item *content.Item, in renderer.Inputs, f bundle.File, n int64) error {
	if f.Path == "Chart.yaml" {
		return nil
	}
	manifest, err := yaml.YAMLToJSON(f.Data)
	if err != nil {
		return err
	}
	var o struct {
		Kind     string `json:"kind"`
		Metadata struct{ Name, Namespace string }
		Data     struct{ V string }
	}
	if err := json.Unmarshal(manifest, &o); err != nil {
		return err
	}
	if o.Kind == "Broken" {
		return errors.New("does not render")
	}
	object := content.Object{Key: content.NewKey("", o.Kind, o.Metadata.Namespace, o.Metadata.Name), Manifest: manifest}
	if question, asks := strings.CutPrefix(o.Data.V, "ask "); asks {
		if item.Answers == nil {
			item.Answers = map[string]string{}
		}
		item.Answers[question] = in.Facts.Answer(question)
		object.Manifest = bytes.ReplaceAll(manifest, []byte(o.Data.V), []byte(item.Answers[question]))
	}
	if strings.HasPrefix(o.Data.V, "random") {
		object.Volatile = []string{"/data/drawn"}
		object.Manifest = bytes.Replace(manifest, []byte(`"data":{`), fmt.Appendf(nil, `"data":{"drawn":"%s-%d",`, in.Cluster, n), 1)
	}
	item.Objects = append(item.Objects, object)
	return nil
}

// signer signs nothing: what is signed is tested with the hub key.
type signer struct{}

func (signer) ID() string                           { return "hub" }
func (signer) Sign(protocol.Header) (string, error) { return "signature", nil }
func (signer) Trust() protocol.TrustSet             { return protocol.TrustSet{HubKeys: []string{"key"}} }
