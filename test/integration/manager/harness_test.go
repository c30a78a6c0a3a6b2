package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/internal/manager"
	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == renderer.ChildArgument {
		os.Exit(renderer.ServeChild(os.Stdin, os.Stdout))
	}
	log.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	plane.Main(m)
}

// patience bounds every wait of these tests.
const patience = 30 * time.Second

const system = "muster-system"

// hub is a running manager and a client beside it.
type hub struct{ api client.Client }

// start runs a manager until the test ends.
func start(t *testing.T) *hub {
	t.Helper()
	server := plane.ServerForTest(t)
	scheme, err := manager.Scheme()
	check(t, err)
	api, err := client.New(plane.HubForTest(t), client.Options{Scheme: scheme})
	check(t, err)
	check(t, api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system}}))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- manager.Run(ctx, manager.Options{
			Kubeconfig: server.Kubeconfig, Namespace: system, Listen: "127.0.0.1:0", MetricsListen: "0", DataDir: t.TempDir(),
			CheckEvery: 100 * time.Millisecond,
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the manager ended with: %v", err)
		}
	})
	return &hub{api: api}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var names atomic.Int64

// workspace is one of a test's own.
type workspace struct {
	*hub
	t    *testing.T
	name string
}

func (h *hub) workspace(t *testing.T) *workspace {
	t.Helper()
	w := &workspace{hub: h, t: t, name: fmt.Sprintf("team-%d", names.Add(1))}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.name, Labels: map[string]string{v1alpha1.LabelWorkspace: "true"}}})
	return w
}

func (w *workspace) create(o client.Object) {
	w.t.Helper()
	check(w.t, w.api.Create(w.t.Context(), o))
}

func (w *workspace) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.name, Name: name}
}

// edit changes an object that others may write, too.
func (w *workspace) edit(o client.Object, change func()) {
	w.t.Helper()
	check(w.t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := w.api.Get(w.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		change()
		return w.api.Update(w.t.Context(), o)
	}))
}

// cluster makes a joined one.
func (w *workspace) cluster(name string) *v1alpha1.Cluster {
	w.t.Helper()
	c := &v1alpha1.Cluster{ObjectMeta: w.meta(name)}
	w.create(c)
	check(w.t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := w.api.Get(w.t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		c.Status.Identity = &v1alpha1.ClusterIdentity{UID: "uid-of-" + w.name + "-" + name, Keys: []v1alpha1.AgentKey{}}
		return w.api.Status().Update(w.t.Context(), c)
	}))
	return c
}

// bundle makes one by hand for every cluster, of files and their texts.
func (w *workspace) bundle(name string, files map[string]string, change func(*v1alpha1.BundleSpec)) {
	w.t.Helper()
	b := &v1alpha1.Bundle{ObjectMeta: w.meta(name)}
	b.Spec.Targets = []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterSelector: &metav1.LabelSelector{}}}}
	for path, text := range files {
		b.Spec.Resources = append(b.Spec.Resources, v1alpha1.BundleResource{Name: path, Content: text})
	}
	if change != nil {
		change(&b.Spec)
	}
	w.create(b)
}

func configMap(text string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\ndata: {text: " + text + "}\n"
}

func plain() map[string]string { return map[string]string{"a.yaml": configMap("plain")} }

// chart prints a text.
func chart(text string) map[string]string {
	return map[string]string{"Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "templates/a.yaml": configMap(text)}
}

// says is what a cluster's document wants: "app@1 -old".
func (w *workspace) says(cluster string) string {
	var a v1alpha1.Assignment
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: system, Name: w.name + "." + cluster}, &a); client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	var d protocol.Document
	if a.Spec.Document != "" {
		check(w.t, json.Unmarshal([]byte(a.Spec.Document), &d))
	}
	var out []string
	for _, e := range d.Entries {
		out = append(out, fmt.Sprintf("%s@%d", e.Bundle, e.Generation))
	}
	for _, r := range d.Removals {
		out = append(out, "-"+r.Bundle)
	}
	return strings.Join(out, " ")
}

// problems are the codes of what a bundle's ledger says is wrong.
func (w *workspace) problems(bundle string) string {
	var r v1alpha1.Rollout
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Namespace: system, Name: w.name + "." + bundle}, &r); client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	var codes []string
	for _, p := range r.Status.Problems {
		codes = append(codes, p.Code)
	}
	return strings.Join(codes, " ")
}

// until waits for the manager to bring something about.
func (w *workspace) until(what, want string, got func() string) {
	w.t.Helper()
	last := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if last = got(); last == want {
			return
		}
	}
	w.t.Fatalf("%s: %q after %s, want %q", what, last, patience, want)
}

func (w *workspace) untilSays(cluster, want string) {
	w.t.Helper()
	w.until("document of "+w.name+"/"+cluster, want, func() string { return w.says(cluster) })
}

func (w *workspace) untilProblem(bundle, want string) {
	w.t.Helper()
	w.until("problems of "+w.name+"/"+bundle, want, func() string { return w.problems(bundle) })
}
