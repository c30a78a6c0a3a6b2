package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/protocol"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestTokenIsShownOnceAndTheHubKeepsThePublicHalf(t *testing.T) {
	h := newHub(t)
	system := h.manager(t)
	got := h.run(t, "cluster", "token", "--name", "eu-1", "--labels", "env=prod,region=eu", "--ttl", "2h", "--manager-namespace", system)
	got.expect(t, 0, protocol.TokenPrefix, "for cluster eu-1: 1 use(s)")
	token, err := protocol.ParseToken(got.out)
	if err != nil {
		t.Fatal(err)
	}
	if token.Hub != "https://hub.example.com" || token.HubKey != fingerprint || token.Workspace != h.workspace {
		t.Errorf("token: got hub %q, key %q, workspace %q", token.Hub, token.HubKey, token.Workspace)
	}
	var stored v1alpha1.JoinToken
	if err := h.Get(t.Context(), client.ObjectKey{Namespace: h.workspace, Name: token.Name}, &stored); err != nil {
		t.Fatal(err)
	}
	key, err := token.Key()
	if err != nil {
		t.Fatal(err)
	}
	if stored.Spec.PublicKey != protocol.EncodeKey(protocol.Public(key)) || stored.Spec.ClusterName != "eu-1" || stored.Spec.Labels["region"] != "eu" || stored.Spec.MaxUses != 1 {
		t.Errorf("stored token: got %+v", stored.Spec)
	}
	if left := time.Until(stored.Spec.Expires.Time); left < time.Hour || left > 2*time.Hour {
		t.Errorf("it expires in %s, want 2h", left)
	}
}

func TestJoinInstallsTheAgentOnTheClusterNamed(t *testing.T) {
	h := newHub(t)
	system := h.manager(t)
	downstream := filepath.Join(t.TempDir(), "downstream")
	if err := h.server.WriteKubeconfig(downstream, "admin", "system:masters"); err != nil {
		t.Fatal(err)
	}
	agent := h.workspace + "-agent"
	got := h.run(t, "cluster", "join", "eu-1", "--to-kubeconfig", downstream, "--agent-namespace", agent, "--manager-namespace", system)
	got.expect(t, 0, "", "the agent's rights there: cluster-admin")
	var secret corev1.Secret
	if err := h.Get(t.Context(), client.ObjectKey{Namespace: agent, Name: "muster-join-token"}, &secret); err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.ParseToken(string(secret.Data["token"])); err != nil {
		t.Error(err)
	}
	var deployment appsv1.Deployment
	if err := h.Get(t.Context(), client.ObjectKey{Namespace: agent, Name: "muster-agent"}, &deployment); err != nil {
		t.Error(err)
	}
	var binding rbacv1.ClusterRoleBinding
	if err := h.Get(t.Context(), client.ObjectKey{Name: "muster-agent"}, &binding); err != nil || binding.RoleRef.Name != "cluster-admin" {
		t.Errorf("rights: got %q, %v", binding.RoleRef.Name, err)
	}
	if strings.Contains(got.err, string(secret.Data["token"])) {
		t.Error("the token is on stderr")
	}
}

func TestJoinPrintsManifestsWithoutACluster(t *testing.T) {
	h := newHub(t)
	system := h.manager(t)
	got := h.run(t, "cluster", "join", "eu-1", "--rbac", "minimal", "--image", "registry.example.com:5000/agent:v9", "--manager-namespace", system)
	got.expect(t, 0, "kind: Deployment", "rights there: minimal")
	got.expect(t, 0, `image: "registry.example.com:5000/agent:v9"`, "")
	if !strings.HasPrefix(got.out, "---\napiVersion: v1\nkind: Namespace\n") || strings.Contains(got.out, "name: cluster-admin") {
		t.Errorf("got\n%s", got.out)
	}
}

func TestApproveNamesTheHold(t *testing.T) {
	h := newHub(t)
	bundle := func(name string, holds ...v1alpha1.Hold) *v1alpha1.Bundle {
		return &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: h.workspace}, Status: v1alpha1.BundleStatus{Holds: holds}}
	}
	loss := v1alpha1.Hold{ID: "loss-1", Reason: "LossHeld", Message: "7 of 8 objects would go"}
	other := v1alpha1.Hold{ID: "loss-2", Reason: "LossHeld", Message: "all clusters would go"}
	h.make(t, bundle("free"), bundle("one", loss), bundle("two", loss, other))

	h.run(t, "approve", "bundle/free").expect(t, 1, "", "it holds nothing")
	h.run(t, "approve", "bundle/gone").expect(t, 1, "", "not found")
	h.run(t, "approve", "bundle/two").expect(t, 2, "loss-2   LossHeld   all clusters would go", "it has 2 holds, name one of them")
	h.run(t, "approve", "bundle/two", "loss-9").expect(t, 1, "loss-1", `it has no hold "loss-9"`)
	h.run(t, "approve", "bundle/one", "--reason", "as planned").expect(t, 0, "approved loss-1 of bundle one", "")
	h.run(t, "approve", "mb/two", "loss-2").expect(t, 0, "approved loss-2 of bundle two", "")

	var one v1alpha1.Bundle
	if err := h.Get(t.Context(), client.ObjectKey{Namespace: h.workspace, Name: "one"}, &one); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		v1alpha1.AnnotationApprove: "loss-1", v1alpha1.AnnotationApproveReason: "as planned", v1alpha1.AnnotationApprovedBy: "admin",
	} {
		if got := one.Annotations[key]; got != want && key != v1alpha1.AnnotationApprovedBy || got == "" {
			t.Errorf("annotation %s: got %q, want %q", key, got, want)
		}
	}
}

func TestApproveLetsARestoredHubWriteAgain(t *testing.T) {
	h := newHub(t)
	system := h.manager(t)
	h.run(t, "approve", "hub-restore", "--manager-namespace", system).expect(t, 0, "approved hub-restore", "")
	var settings corev1.ConfigMap
	if err := h.Get(t.Context(), client.ObjectKey{Namespace: system, Name: "muster-hub"}, &settings); err != nil {
		t.Fatal(err)
	}
	if got := settings.Annotations[v1alpha1.AnnotationApprove]; got != "hub-restore" {
		t.Errorf("annotation: got %q", got)
	}
}

func TestRemoveForgetsACluster(t *testing.T) {
	h := newHub(t)
	h.make(t, &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "eu-1", Namespace: h.workspace}})
	h.run(t, "cluster", "rm", "eu-1").expect(t, 0, "what runs there keeps running", "")
	h.run(t, "cluster", "rm", "eu-1").expect(t, 1, "", "not found")
}

func TestRemoveDrainsFirst(t *testing.T) {
	h := newHub(t)
	system := h.manager(t)
	assignment := &v1alpha1.Assignment{
		ObjectMeta: metav1.ObjectMeta{Name: h.workspace + ".eu-1", Namespace: system},
		Spec:       v1alpha1.AssignmentSpec{Revision: 1, Bundles: 2},
	}
	h.make(t, &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "eu-1", Namespace: h.workspace}}, assignment)

	// Nobody removes anything: it gives up, and the Cluster stays.
	args := []string{"cluster", "rm", "eu-1", "--drain", "--manager-namespace", system}
	h.run(t, append(args, "--timeout", "1500ms")...).expect(t, 3, "", "2 bundle(s) left")
	var cluster v1alpha1.Cluster
	if err := h.Get(t.Context(), client.ObjectKey{Namespace: h.workspace, Name: "eu-1"}, &cluster); err != nil || cluster.Annotations[v1alpha1.AnnotationDrain] != "true" {
		t.Fatalf("cluster: got %v, annotations %v", err, cluster.Annotations)
	}
	assignment.Spec.Bundles, assignment.Spec.Revision = 0, 2
	if err := h.Update(t.Context(), assignment); err != nil {
		t.Fatal(err)
	}
	h.run(t, args...).expect(t, 0, "its bundles were removed", "")
	if err := h.Get(t.Context(), client.ObjectKey{Namespace: h.workspace, Name: "eu-1"}, &cluster); !apierrors.IsNotFound(err) {
		t.Errorf("cluster: got %v, want not found", err)
	}
}

func TestCompletionKnowsTheNamesOnTheHub(t *testing.T) {
	h := newHub(t)
	h.make(t, gitRepo(h, "shop"), gitRepo(h, "lab"))
	complete := func(args ...string) result {
		return h.runUntil(t, t.Context(), &buffer{}, append([]string{"__complete"}, args...)...)
	}
	if got := complete("get", "-n", h.workspace, "gitrepo", ""); !strings.HasPrefix(got.out, "lab\nshop\n") {
		t.Errorf("names: got %q", got.out)
	}
	if got := complete("get", "-n", h.workspace, "gitrepo/s"); !strings.Contains(got.out, "gitrepo/shop\n") {
		t.Errorf("kind/name: got %q", got.out)
	}
	if got := complete("get", ""); !strings.HasPrefix(got.out, "gitrepos\nbundles\nclusters\n") {
		t.Errorf("kinds: got %q", got.out)
	}
}
