package charts_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/cli"
	"github.com/muster-dev/muster/internal/lab/gitserver"
	"github.com/muster-dev/muster/internal/lab/plane"
	"github.com/muster-dev/muster/internal/lab/process"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	managerNamespace = "muster-system"
	agentNamespace   = "muster-agent"
	workspace        = "charted"
)

// A bundle from a private repository, one made by hand, and a cluster that
// joins: all with the rights the charts grant, and no request refused.
func TestManagerAndAgentNeedNoMoreThanTheirChartsGrant(t *testing.T) {
	l := newInstallation(t)
	l.startManager(t)
	l.startAgent(t, "cluster-admin")
	t.Cleanup(func() { l.bundlesGone(t) })
	l.create(t, handMade("by-hand", "target-a", ""))
	l.createRepo(t)
	l.await(t, "the hand-made bundle's ConfigMap", l.exists("target-a", "by-hand"))
	l.await(t, "the repository's ConfigMap", l.exists("target-b", "from-git"))
	l.await(t, "all bundles Ready", l.bundlesReady(2))
	l.requireNothingRefused(t)
}

// With rbac.mode minimal the agent writes as the account a bundle names, which
// may do what its own roles say, and cannot write by itself.
func TestAMinimalAgentWritesOnlyAsTheAccountABundleNames(t *testing.T) {
	l := newInstallation(t)
	l.startManager(t)
	l.create(t, deployer("target-c")...)
	l.startAgent(t, "minimal")
	t.Cleanup(func() { l.bundlesGone(t) })
	l.create(t, handMade("as-deployer", "target-c", "deployer"), handMade("as-itself", "target-c", ""))
	l.await(t, "the ConfigMap of the bundle with an account", l.exists("target-c", "as-deployer"))
	l.await(t, "a refusal of the bundle without one", func(ctx context.Context) error {
		var b v1alpha1.Bundle
		if err := l.Get(ctx, client.ObjectKey{Namespace: workspace, Name: "as-itself"}, &b); err != nil {
			return err
		}
		for _, state := range b.Status.NotReady {
			if state.State == "Failed" && strings.Contains(state.Message, "forbidden") {
				return nil
			}
		}
		return fmt.Errorf("its status is %+v", b.Status)
	})
	if err := l.exists("target-c", "as-itself")(t.Context()); err == nil {
		t.Error("the agent wrote with rights of its own")
	}
}

// The chart runs several replicas: all serve, one decides, and when that one
// leaves, as in a roll-out of the Deployment, another goes on at once.
func TestASecondReplicaTakesOver(t *testing.T) {
	l := newInstallation(t)
	first, deployment := l.startManager(t)
	second := l.replica(t, deployment)
	l.await(t, "the second replica's readiness probe", l.probe("http://"+second+"/readyz"))
	first.Stop(10 * time.Second)
	t.Cleanup(func() { l.bundlesGone(t) })
	l.create(t, handMade("after-the-first", "target-a", ""))
	l.await(t, "the second replica to look at a bundle", func(ctx context.Context) error {
		var b v1alpha1.Bundle
		if err := l.Get(ctx, client.ObjectKey{Namespace: workspace, Name: "after-the-first"}, &b); err != nil {
			return err
		}
		if b.Status.ObservedGeneration == 0 {
			return fmt.Errorf("its status is %+v", b.Status)
		}
		return nil
	})
}

// replica runs one more manager beside the first and returns its address.
func (l *installation) replica(t *testing.T, deployment *unstructured.Unstructured) string {
	t.Helper()
	ports := [2]int{}
	for i := range ports {
		port, err := plane.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = port
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	l.run(t, "muster-manager", managerNamespace, deployment, map[string]string{
		"--listen=": address, "--data-dir=": filepath.Join(l.dir, "data-of-second"), "--metrics-listen=": fmt.Sprintf("127.0.0.1:%d", ports[1]),
	})
	return address
}

// installation is an API server that is hub and cluster at once.
type installation struct {
	client.Client
	server  *plane.Server
	address string
	audit   int64
	dir     string
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	l := &installation{Client: admin(t), server: plane.ServerForTest(t), dir: t.TempDir()}
	port, err := plane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	l.address = fmt.Sprintf("127.0.0.1:%d", port)
	for _, name := range []string{managerNamespace, agentNamespace, "target-a", "target-b", "target-c"} {
		ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
		if err := apply(t, l, ns); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(l.server.Audit); err == nil {
		l.audit = info.Size()
	}
	return l
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// bundlesGone waits for what the test made to leave cluster and hub: the next
// test's agent works on the same cluster.
func (l *installation) bundlesGone(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.until(ctx, t, "every Bundle to be removed", func(ctx context.Context) error {
		var bundles v1alpha1.BundleList
		if err := l.List(ctx, &bundles, client.InNamespace(workspace)); err != nil {
			return err
		}
		if n := len(bundles.Items); n > 0 {
			return fmt.Errorf("%d are left, such as %s with status %+v", n, bundles.Items[0].Name, bundles.Items[0].Status)
		}
		return nil
	})
}

// patience bounds every wait.
const patience = 60 * time.Second

func (l *installation) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := l.Create(t.Context(), o); err != nil {
			t.Fatalf("create %s: %v", o.GetName(), err)
		}
		t.Cleanup(func() {
			if err := l.Delete(context.Background(), o); err != nil {
				t.Errorf("remove %s: %v", o.GetName(), err)
			}
		})
	}
}

// startManager installs the chart muster and runs its Deployment's command line
// under its account.
func (l *installation) startManager(t *testing.T) (*process.Process, *unstructured.Unstructured) {
	t.Helper()
	metrics, err := plane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	found := install(t, l, "muster", managerNamespace, values{
		"externalURL": "http://" + l.address,
		"metrics":     values{"listen": fmt.Sprintf("127.0.0.1:%d", metrics)},
		"workspaces":  []any{values{"name": workspace, "create": true}},
	})
	deployment := one(t, found, "Deployment", "muster-manager")
	manager := l.run(t, "muster-manager", managerNamespace, deployment, map[string]string{
		"--listen=": l.address, "--data-dir=": filepath.Join(l.dir, "data"),
	})
	l.await(t, "the manager's readiness probe", l.probe("http://"+l.address+"/readyz"))
	return manager, deployment
}

// startAgent makes a token with the command line, installs the chart
// muster-agent with it and runs its Deployment's command line under its account.
func (l *installation) startAgent(t *testing.T, mode string) {
	t.Helper()
	cluster := "with-" + mode
	text := l.token(t, cluster)
	metrics, err := plane.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	found := install(t, l, "muster-agent", agentNamespace, values{
		"token": text, "rbac": values{"mode": mode}, "metricsListen": fmt.Sprintf("127.0.0.1:%d", metrics),
	})
	t.Cleanup(func() { l.removeAgent(t, found, cluster) })
	file := filepath.Join(l.dir, "token")
	secret, _, _ := unstructured.NestedString(one(t, found, "Secret", "muster-join-token").Object, "stringData", "token")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(t, "muster-agent", agentNamespace, one(t, found, "Deployment", "muster-agent"), map[string]string{"--token-file=": file})
	l.await(t, "the agent's readiness probe", l.probe(fmt.Sprintf("http://127.0.0.1:%d/readyz", metrics)))
	l.await(t, "the cluster to be connected", func(ctx context.Context) error {
		var c v1alpha1.Cluster
		if err := l.Get(ctx, client.ObjectKey{Namespace: workspace, Name: cluster}, &c); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionConnected) {
			return fmt.Errorf("its conditions are %v", c.Status.Conditions)
		}
		return nil
	})
}

// removeAgent leaves nothing by which the next agent would be this one.
func (l *installation) removeAgent(t *testing.T, found []*unstructured.Unstructured, cluster string) {
	t.Helper()
	ctx := context.Background()
	if err := l.Delete(ctx, &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: cluster, Namespace: workspace}}); err != nil {
		t.Errorf("forget the cluster: %v", err)
	}
	for _, object := range found {
		if err := l.Delete(ctx, object); err != nil {
			t.Errorf("remove the agent: %v", err)
		}
	}
	if err := l.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(agentNamespace)); err != nil {
		t.Errorf("remove the agent's state: %v", err)
	}
}

func (l *installation) token(t *testing.T, cluster string) string {
	t.Helper()
	var out, errs strings.Builder
	args := []string{"cluster", "token", "--name", cluster, "--kubeconfig", l.server.Kubeconfig, "-n", workspace, "--manager-namespace", managerNamespace}
	if code := cli.Run(t.Context(), "test", args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != 0 {
		t.Fatalf("muster %s: exit %d: %s", strings.Join(args, " "), code, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// run starts a Deployment's container as a process: its arguments, its
// account's token; only paths and ports that belong to a pod are replaced.
func (l *installation) run(t *testing.T, program, namespace string, deployment *unstructured.Unstructured, replace map[string]string) *process.Process {
	t.Helper()
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(deployment.Object, &d); err != nil {
		t.Fatal(err)
	}
	path, err := plane.Binary("", program)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--kubeconfig=" + l.kubeconfig(t, namespace, d.Spec.Template.Spec.ServiceAccountName)}
	for _, arg := range d.Spec.Template.Spec.Containers[0].Args {
		for flag, value := range replace {
			if strings.HasPrefix(arg, flag) {
				arg = flag + value
			}
		}
		args = append(args, arg)
	}
	p, err := process.Start(process.Spec{Name: program, Path: path, Args: args, Log: filepath.Join(l.dir, program+".log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop(10 * time.Second)
		if t.Failed() {
			t.Logf("%s %s said last:\n%s", program, strings.Join(args, " "), p.Tail())
		}
	})
	return p
}

// kubeconfig holds a token of the account, as a pod is given one.
func (l *installation) kubeconfig(t *testing.T, namespace, account string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{}
	who := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := l.SubResource("token").Create(t.Context(), who, request); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(l.dir, account+".kubeconfig")
	if err := l.server.WriteTokenKubeconfig(file, account, request.Status.Token); err != nil {
		t.Fatal(err)
	}
	return file
}

// createRepo serves a repository behind a password and follows it.
func (l *installation) createRepo(t *testing.T) {
	t.Helper()
	seed, root := t.TempDir(), t.TempDir()
	manifest := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-git\n  namespace: target-b\ndata:\n  a: b\n"
	if err := os.WriteFile(filepath.Join(seed, "settings.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gitserver.Create(t.Context(), root, "fleet.git", seed); err != nil {
		t.Fatal(err)
	}
	server, err := gitserver.New(root, func(gitserver.Push) {})
	if err != nil {
		t.Fatal(err)
	}
	guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "muster" || password != "open sesame" {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(guarded.Close)
	l.create(t,
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "forge", Namespace: workspace}, Type: corev1.SecretTypeBasicAuth,
			StringData: map[string]string{"username": "muster", "password": "open sesame"},
		},
		&v1alpha1.GitRepo{
			ObjectMeta: metav1.ObjectMeta{Name: "fleet", Namespace: workspace},
			Spec: v1alpha1.GitRepoSpec{
				Repo: guarded.URL + "/fleet.git", Branch: gitserver.Branch, ClientSecretName: "forge",
				Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterSelector: &metav1.LabelSelector{}}}},
			},
		})
}

// handMade is a bundle with one ConfigMap of its own name.
func handMade(name, namespace, account string) *v1alpha1.Bundle {
	b := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: workspace}}
	no := false
	b.Spec.DefaultNamespace, b.Spec.CreateNamespace = &namespace, &no
	if account != "" {
		b.Spec.ServiceAccount = &account
	}
	b.Spec.Resources = []v1alpha1.BundleResource{{
		Name: "settings.yaml", Content: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "\ndata:\n  a: b\n",
	}}
	return b
}

// deployer is an account of the agent's namespace that may write ConfigMaps of another.
func deployer(namespace string) []client.Object {
	named := metav1.ObjectMeta{Name: "deployer", Namespace: namespace}
	return []client.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "deployer", Namespace: agentNamespace}},
		&rbacv1.Role{ObjectMeta: named, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "patch", "delete"},
		}}},
		&rbacv1.RoleBinding{
			ObjectMeta: named, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "deployer"},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "deployer", Namespace: agentNamespace}},
		},
	}
}

func (l *installation) exists(namespace, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		return l.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.ConfigMap{})
	}
}

func (l *installation) bundlesReady(want int) func(context.Context) error {
	return func(ctx context.Context) error {
		var bundles v1alpha1.BundleList
		if err := l.List(ctx, &bundles, client.InNamespace(workspace)); err != nil {
			return err
		}
		ready := 0
		for _, b := range bundles.Items {
			if meta.IsStatusConditionTrue(b.Status.Conditions, v1alpha1.ConditionReady) && b.Status.Summary.Ready == 1 {
				ready++
			}
		}
		if ready != want || len(bundles.Items) != want {
			return fmt.Errorf("%d of %d bundles are Ready, want %d", ready, len(bundles.Items), want)
		}
		return nil
	}
}

func (l *installation) probe(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", response.Status)
		}
		return nil
	}
}

// await asks until there is no error; processes offer no other way to wait.
func (l *installation) await(t *testing.T, what string, done func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	l.until(ctx, t, what, done)
}

func (l *installation) until(ctx context.Context, t *testing.T, what string, done func(context.Context) error) {
	t.Helper()
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	var last error
	for {
		err := done(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s: %v", patience, what, last)
		case <-ticks.C:
		}
	}
}

// requireNothingRefused reads in the audit log whether the API server refused
// the two accounts anything since the test began.
func (l *installation) requireNothingRefused(t *testing.T) {
	t.Helper()
	file, err := os.Open(l.server.Audit)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Seek(l.audit, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb, RequestURI string
			User             struct{ Username string }
			ResponseStatus   struct{ Code int }
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(event.User.Username, "system:serviceaccount:muster-") {
			continue
		}
		seen[event.User.Username]++
		if code := event.ResponseStatus.Code; code == http.StatusForbidden || code == http.StatusUnauthorized {
			t.Errorf("%s: %s %s was refused with %d", event.User.Username, event.Verb, event.RequestURI, code)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 {
		t.Errorf("the audit log knows requests of %v, want both accounts", seen)
	}
}
