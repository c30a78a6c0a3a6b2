package plane_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab/plane"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

func TestMain(m *testing.M) { plane.Main(m) }

func TestCRDsAreServedByTheSharedServer(t *testing.T) {
	config := plane.HubForTest(t)
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	gitRepos := schema.GroupVersionResource{Group: "muster.dev", Version: "v1alpha1", Resource: "gitrepos"}
	if _, err := client.Resource(gitRepos).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("list gitrepos: %v", err)
	}
}

func TestAUserWithoutRolesMayDoNothing(t *testing.T) {
	server := plane.ServerForTest(t)
	path := filepath.Join(t.TempDir(), "nobody")
	if err := server.WriteKubeconfig(path, "nobody"); err != nil {
		t.Fatal(err)
	}
	_, err := clientFor(t, path).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("list secrets as nobody: %v, want forbidden", err)
	}
	if !audited(t, server.Audit, "nobody", "list", "secrets") {
		t.Error("the audit log does not tell that nobody listed secrets")
	}
}

func TestServersOfOneEtcdShareNothing(t *testing.T) {
	p := start(t, plane.Options{Dir: t.TempDir(), Servers: []string{"a", "b"}, ControllerManager: true, Lean: []string{"b"}, Audit: true})
	a, b := clientFor(t, p.Server("a").Kubeconfig), clientFor(t, p.Server("b").Kubeconfig)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "only-a"}}
	if _, err := a.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.CoreV1().Namespaces().Get(t.Context(), "only-a", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("get a's namespace from b: %v, want not found", err)
	}
	crossed := rest.CopyConfig(p.Server("a").Config())
	crossed.CertData, crossed.KeyData = p.Server("b").Config().CertData, p.Server("b").Config().KeyData
	client, err := discovery.NewDiscoveryClientForConfig(crossed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ServerVersion(); err == nil {
		// /version is open to anybody; what counts is who we are.
		_, err = kubernetes.NewForConfigOrDie(crossed).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		if !apierrors.IsUnauthorized(err) {
			t.Errorf("list a's namespaces with b's credential: %v, want unauthorized", err)
		}
	}
	awaitController(t, a)
	stopLeavesNothing(t, p)
}

// awaitController waits for what only the controller-manager makes.
func awaitController(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if _, err := client.CoreV1().ServiceAccounts("only-a").Get(ctx, "default", metav1.GetOptions{}); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("no service account `default` within a minute")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func stopLeavesNothing(t *testing.T, p *plane.Plane) {
	t.Helper()
	pids := []int{p.EtcdPID(), p.Server("a").PID(), p.Server("b").PID()}
	began := time.Now()
	p.Stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Stop took %s, want at most 10s", took)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}

func start(t *testing.T, o plane.Options) *plane.Plane {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	p, err := plane.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func clientFor(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func audited(t *testing.T, path, user, verb, resource string) bool {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef *struct{ Resource string }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		if event.Verb == verb && strings.EqualFold(event.User.Username, user) && event.ObjectRef != nil && event.ObjectRef.Resource == resource {
			return true
		}
	}
	return false
}
