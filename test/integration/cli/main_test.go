// Package cli_test runs the command line against a real API server: what it
// prints, what it writes and how it ends.
package cli_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/muster-dev/muster/internal/cli"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestMain(m *testing.M) { plane.Main(m) }

// hub is an API server with CRDs, a workspace of the test's own and an
// administrator's kubeconfig.
type hub struct {
	client.Client
	server     *plane.Server
	kubeconfig string
	workspace  string
}

func newHub(t *testing.T) *hub {
	t.Helper()
	config := plane.HubForTest(t)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{Client: c, server: plane.ServerForTest(t), workspace: workspaceOf(t)}
	h.kubeconfig = h.server.Kubeconfig
	h.make(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.workspace}})
	return h
}

// workspaceOf names a namespace after the test.
func workspaceOf(t *testing.T) string {
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	return strings.Trim(name[:min(len(name), 60)], "-")
}

func (h *hub) make(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		wanted, ok := o.DeepCopyObject().(client.Object)
		if !ok {
			t.Fatalf("%T is no object", o)
		}
		if err := h.Create(t.Context(), o); err != nil {
			t.Fatalf("create %s: %v", o.GetName(), err)
		}
		if bundle, ok := wanted.(*v1alpha1.Bundle); ok && len(bundle.Status.Holds) > 0 {
			wanted.SetResourceVersion(o.GetResourceVersion())
			wanted.SetUID(o.GetUID())
			if err := h.Status().Update(t.Context(), wanted); err != nil {
				t.Fatalf("write status of %s: %v", o.GetName(), err)
			}
		}
	}
}

// manager publishes what a manager would, in a namespace of the test's own.
func (h *hub) manager(t *testing.T) (namespace string) {
	t.Helper()
	namespace = h.workspace + "-sys"
	h.make(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "muster-hub", Namespace: namespace},
			Data:       map[string]string{"url": "https://hub.example.com", "fingerprint": fingerprint},
		})
	return namespace
}

var fingerprint = strings.Repeat("ab", 32)

// result is how one command line ended.
type result struct {
	code     int
	out, err string
}

// run runs one command line on the hub, in the test's workspace.
func (h *hub) run(t *testing.T, args ...string) result {
	t.Helper()
	return h.runUntil(t, t.Context(), &buffer{}, append(args, "-n", h.workspace)...)
}

func (h *hub) runUntil(t *testing.T, ctx context.Context, out *buffer, args ...string) result {
	t.Helper()
	t.Setenv("KUBECONFIG", h.kubeconfig)
	var errs bytes.Buffer
	code := cli.Run(ctx, "v1.2.3", args, cli.Streams{In: strings.NewReader(""), Out: out, Err: &errs})
	return result{code, out.String(), errs.String()}
}

// as returns the hub seen by a user without rights.
func (h *hub) as(t *testing.T, user string) *hub {
	t.Helper()
	other := *h
	other.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := h.server.WriteKubeconfig(other.kubeconfig, user, "nobody"); err != nil {
		t.Fatal(err)
	}
	return &other
}

// buffer can be read while a command writes.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// expect checks the exit code and that texts are in stdout or stderr.
func (r result) expect(t *testing.T, code int, out, err string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, err) {
		t.Errorf("got exit %d\nstdout: %s\nstderr: %s\nwant exit %d, stdout with %q, stderr with %q", r.code, r.out, r.err, code, out, err)
	}
	if code != 0 && strings.Count(r.err, "muster: ") != 1 {
		t.Errorf("the error is not one line: %s", r.err)
	}
}
