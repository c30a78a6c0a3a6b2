package cli_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func gitRepo(h *hub, name string) *v1alpha1.GitRepo {
	return &v1alpha1.GitRepo{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: h.workspace},
		Spec:       v1alpha1.GitRepoSpec{Repo: "https://git.example.com/" + name},
	}
}

func TestGetPrintsTheColumnsOfTheCRD(t *testing.T) {
	h := newHub(t)
	h.make(t, gitRepo(h, "shop"), gitRepo(h, "lab"))
	got := h.run(t, "get", "gitrepos")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(lines) != 3 || strings.Join(strings.Fields(lines[0]), " ") != "NAME REPO COMMIT BUNDLES DEPLOYED READY REASON AGE" {
		t.Fatalf("got\n%s", got.out)
	}
	if fields := strings.Fields(lines[2]); fields[0] != "shop" || fields[1] != "https://git.example.com/shop" {
		t.Errorf("row: got %q", lines[2])
	}
	h.run(t, "get", "mgr", "-o", "wide").expect(t, 0, "MESSAGE", "")
	h.run(t, "get", "gitrepo/shop").expect(t, 0, "https://git.example.com/shop", "")
	h.run(t, "get", "gitrepo", "shop", "lab", "-o", "name").expect(t, 0, "gitrepo.muster.dev/shop\ngitrepo.muster.dev/lab\n", "")
}

func TestGetPrintsObjectsForPrograms(t *testing.T) {
	h := newHub(t)
	h.make(t, gitRepo(h, "shop"))
	var one v1alpha1.GitRepo
	got := h.run(t, "get", "gitrepo", "shop", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &one); err != nil || one.Kind != "GitRepo" || one.Name != "shop" || len(one.ManagedFields) > 0 {
		t.Errorf("one object: got %v\n%s", err, got.out)
	}
	var list struct {
		Kind  string             `json:"kind"`
		Items []v1alpha1.GitRepo `json:"items"`
	}
	got = h.run(t, "get", "gitrepos", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || list.Kind != "List" || len(list.Items) != 1 || list.Items[0].Kind != "GitRepo" {
		t.Errorf("a list: got %v\n%s", err, got.out)
	}
	h.run(t, "get", "gitrepos", "-o", "yaml").expect(t, 0, "kind: List\n", "")
}

func TestGetOfNothingIsNoFailure(t *testing.T) {
	h := newHub(t)
	got := h.run(t, "get", "clusters")
	got.expect(t, 0, "", "no clusters in workspace "+h.workspace)
	if got.out != "" {
		t.Errorf("stdout: got %q", got.out)
	}
	if got := h.run(t, "get", "clusters", "-o", "json"); !strings.Contains(got.out, `"items": []`) {
		t.Errorf("an empty list for programs: got %q", got.out)
	}
	h.run(t, "get", "cluster", "eu-1").expect(t, 1, "", `get cluster eu-1 in `+h.workspace)
}

func TestGetFindsMachineKindsByTheNameOfTheirCluster(t *testing.T) {
	h := newHub(t)
	system := h.manager(t)
	h.make(t,
		&v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Name: h.workspace + ".eu-1", Namespace: system}, Spec: v1alpha1.AssignmentSpec{Revision: 7}},
		&v1alpha1.Assignment{ObjectMeta: metav1.ObjectMeta{Name: "other.eu-1", Namespace: system}, Spec: v1alpha1.AssignmentSpec{Revision: 8}})
	h.run(t, "get", "assignment", "eu-1", "-o", "name", "--manager-namespace", system).expect(t, 0, "assignment.muster.dev/"+h.workspace+".eu-1\n", "")
	got := h.run(t, "get", "ma", "--manager-namespace", system)
	if strings.Contains(got.out, "other.eu-1") || !strings.Contains(got.out, h.workspace+".eu-1") {
		t.Errorf("assignments of the workspace: got\n%s", got.out)
	}
	got = h.runUntil(t, t.Context(), &buffer{}, "get", "ma", "-A", "--manager-namespace", system)
	got.expect(t, 0, "other.eu-1", "")
}

func TestGetOfAllWorkspacesNamesThem(t *testing.T) {
	h := newHub(t)
	h.make(t, gitRepo(h, "shop"))
	got := h.runUntil(t, t.Context(), &buffer{}, "get", "gitrepos", "-A")
	got.expect(t, 0, "NAMESPACE", "")
	got.expect(t, 0, h.workspace, "")
}

func TestGetWatchesUntilInterrupted(t *testing.T) {
	h := newHub(t)
	h.make(t, gitRepo(h, "first"))
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, done := &buffer{}, make(chan result)
	go func() { done <- h.runUntil(t, ctx, out, "get", "gitrepos", "-w", "-n", h.workspace) }()
	awaitText(t, out, "first")
	h.make(t, gitRepo(h, "second"))
	awaitText(t, out, "second")
	interrupt()
	if got := <-done; got.code != 130 || strings.Count(got.out, "NAME ") != 1 {
		t.Errorf("got exit %d, stdout:\n%s", got.code, got.out)
	}
}

// awaitText waits for what a command prints by itself.
func awaitText(t *testing.T, out *buffer, text string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	for !strings.Contains(out.String(), text) {
		select {
		case <-deadline:
			t.Fatalf("waited 30 s for %q in:\n%s", text, out.String())
		case <-ticks.C:
		}
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	h := newHub(t)
	h.as(t, "mallory").run(t, "get", "gitrepos").expect(t, 6, "", "ask for that right in this workspace")
	nowhere := *h
	nowhere.kubeconfig = h.server.Kubeconfig
	got := nowhere.run(t, "get", "gitrepos", "--context", "no-such-context")
	got.expect(t, 1, "", "no-such-context")
	h.make(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.workspace + "-x"}})
	h.run(t, "cluster", "token", "--name", "eu-1", "--manager-namespace", h.workspace+"-x").expect(t, 1, "", "is the manager running in namespace")
}
