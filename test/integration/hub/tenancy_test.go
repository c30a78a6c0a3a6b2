package hub_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// neighbour is another workspace of the same hub.
func (w *world) neighbour() *world {
	w.t.Helper()
	other := *w
	other.workspace = fmt.Sprintf("%s-neighbour", w.workspace)
	check(w.t, w.api.Create(w.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: other.workspace, Labels: map[string]string{v1alpha1.LabelWorkspace: "true", "of": w.workspace},
	}}))
	return &other
}

// mapping lets bundles with a label reach the neighbour.
func (w *world) mapping(bundles map[string]string) *v1alpha1.BundleNamespaceMapping {
	w.t.Helper()
	m := &v1alpha1.BundleNamespaceMapping{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: "m"}}
	m.BundleSelector = &metav1.LabelSelector{MatchLabels: bundles}
	m.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"of": w.workspace}}
	w.put(m)
	return m
}

func labelled(d distribution.Desired, key, value string) distribution.Desired {
	d.Bundle.Labels[key] = value
	return d
}

func TestScenario38AMappingBringsTheBundlesItSelectsAndNoOthers(t *testing.T) {
	w := newWorld(t)
	other := w.neighbour()
	w.cluster("a", nil)
	other.cluster("x", nil)
	w.mapping(map[string]string{"share": "yes"})
	h := w.process()
	h.deploy(labelled(w.fromGit("app", "ConfigMap/one"), "share", "no"))
	w.wantSays("a", "app@1")
	other.wantSays("x", "")

	h.deploy(labelled(w.fromGit("app", "ConfigMap/one"), "share", "yes"))
	w.wantSays("a", "app@1")
	other.wantSays("x", "app@2")
	if e := other.document("x").Entries[0]; e.Workspace != w.workspace {
		t.Errorf("the entry says workspace %s: its content is not there", e.Workspace)
	}

	// A new process that finds the mapping gone takes the bundle away, and from there only.
	check(t, w.api.Delete(t.Context(), &v1alpha1.BundleNamespaceMapping{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: "m"}}))
	h = w.process()
	h.redeploy("app")
	w.wantSays("a", "app@1")
	other.wantSays("x", "-app")
}

// Clusters of other workspaces are there also when no mapping leads to them any more.
func TestAMappingThatGoesIsALossToBeApproved(t *testing.T) {
	w := newWorld(t)
	other := w.neighbour()
	for _, name := range []string{"x", "y"} {
		other.cluster(name, nil)
	}
	m := w.mapping(nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	other.wantSays("y", "app@1")
	check(t, w.api.Delete(t.Context(), m))
	h.redeploy("app")
	holds := w.rollout("app").Status.Holds
	if len(holds) != 1 || !strings.Contains(holds[0].Message, "2 of 2 clusters") {
		t.Errorf("holds: %+v", holds)
	}
	if got := other.says("x"); strings.Contains(got, "-app") {
		t.Errorf("removed without approval: %q", got)
	}
}

// What changes together reaches other workspaces' clusters together, too.
func TestClustersOfOtherWorkspacesAreHeldWhileAChangeIsWritten(t *testing.T) {
	w := newWorld(t)
	other := w.neighbour()
	other.cluster("x", nil)
	w.mapping(nil)
	h := w.process()
	failed, release := h.deployer.DeployHeld(t.Context(), w.workspace, []distribution.Desired{w.fromGit("app", "ConfigMap/one"), w.fromGit("web", "ConfigMap/two")})
	if len(failed) != 0 {
		t.Fatal(failed)
	}
	if got := h.takeDirty(); len(got) != 0 {
		t.Errorf("marked before the release: %v", got)
	}
	release()
	check(t, h.compose())
	other.wantSays("x", "app@1 web@1")
	h.remove("app", "web")
	if got := other.says("x"); got != "-app -web" && got != "-web -app" {
		t.Errorf("document of x says %q", got)
	}
}

func TestScenario39APolicyAllowsSomeNamespaces(t *testing.T) {
	for name, c := range map[string]struct{ namespace, want, message string }{
		"in the list":     {"team", "app@1", ""},
		"not in the list": {"kube-system", "", "does not allow the namespace kube-system"},
		"empty":           {"", "", "names none"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cluster("a", nil)
			w.put(&v1alpha1.Policy{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: "p"}, AllowedTargetNamespaces: []string{"team"}})
			h := w.process()
			d := w.fromGit("app", "ConfigMap/one")
			if c.namespace != "" {
				d.Bundle.Spec.Namespace = &c.namespace
			}
			h.deploy(d)
			w.wantSays("a", c.want)
			if c.message != "" {
				w.wantProblem("app", v1alpha1.ReasonPolicyDenied, c.message)
			}
		})
	}
}

func TestAPolicyThatComesLaterLeavesWhatRuns(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(w.fromGit("app", "ConfigMap/one"))
	w.put(&v1alpha1.Policy{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: "p"}, AllowedTargetNamespaces: []string{"team"}})
	h.redeploy("app")
	w.wantSays("a", "app@1")
	w.wantProblem("app", v1alpha1.ReasonPolicyDenied, "policy p")
}

func TestScenario40WhatTheNamespaceMustCarryTravelsWithTheContent(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.put(&v1alpha1.Policy{
		ObjectMeta:                     metav1.ObjectMeta{Namespace: w.workspace, Name: "p"},
		AllowedTargetNamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "web"}},
	})
	h := w.process()
	d := w.fromGit("app", "ConfigMap/one")
	namespace := "web"
	d.Bundle.Spec.Namespace = &namespace
	h.deploy(d)
	if _, item := h.contentOn("a"); item.Options.NamespaceSelector != "team=web" {
		t.Errorf("options: %+v", item.Options)
	}
}
