package hub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// withValues makes a bundle read key v.yaml of ConfigMap and Secret "values" on the hub.
func withValues(d distribution.Desired) distribution.Desired {
	d.Bundle.Spec.HubValuesFrom = []v1alpha1.ValuesFrom{
		{SecretKeyRef: &v1alpha1.KeyRef{Name: "values", Key: "v.yaml"}},
		{ConfigMapKeyRef: &v1alpha1.KeyRef{Name: "values", Key: "v.yaml"}},
	}
	return d
}

func (w *world) configMap(name string, data map[string]string) {
	w.t.Helper()
	w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: name}, Data: data})
}

func (w *world) secret(name string, data map[string]string) {
	w.t.Helper()
	w.put(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: name}, StringData: data})
}

// put creates or replaces.
func (w *world) put(o client.Object) {
	w.t.Helper()
	if err := w.api.Create(w.t.Context(), o); err != nil {
		check(w.t, w.api.Update(w.t.Context(), o))
	}
}

// checkObjects does what the leader does every half minute.
func (h *hub) checkObjects() {
	h.t.Helper()
	h.clock.SetTime(h.clock.Now().Add(30 * time.Second))
	changed, err := h.deployer.HubObjects.Check(h.t.Context())
	check(h.t, err)
	for _, bundle := range changed {
		_, name, _ := strings.Cut(bundle, "/")
		h.redeploy(name)
	}
}

// shown is what the renderer made of values or copied objects.
func (h *hub) shown(cluster, name string) string {
	h.t.Helper()
	_, item := h.contentOn(cluster)
	for _, o := range item.Objects {
		if strings.HasSuffix(string(o.Key), "/"+name) {
			return string(o.Manifest)
		}
	}
	return ""
}

func (w *world) wantProblem(name, code, part string) {
	w.t.Helper()
	p := w.rollout(name).Status.Problems
	if len(p) != 1 || p[0].Code != code || !strings.Contains(p[0].Message, part) {
		w.t.Errorf("problems of %s: %+v, want %s %q", name, p, code, part)
	}
}

func TestScenario48MissingHubValuesKeepWhatRuns(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.configMap("values", map[string]string{"v.yaml": "color: blue # from the ConfigMap\n"})
	w.secret("values", map[string]string{"v.yaml": "password: p1"})
	h := w.process()
	h.deploy(withValues(w.fromGit("app", "ConfigMap/one")))
	w.wantSays("a", "app@1")
	if got := h.shown("a", "values-0") + h.shown("a", "values-1"); got != `{"color":"blue"}{"password":"p1"}` {
		t.Errorf("values, ConfigMaps before Secrets: %s", got)
	}

	check(t, w.api.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.workspace, Name: "values"}}))
	h.checkObjects()
	w.wantSays("a", "app@1")
	w.wantProblem("app", v1alpha1.ReasonValuesMissing, "there is no Secret values in workspace "+w.workspace)

	w.secret("values", map[string]string{"other.yaml": "password: p2"})
	h.checkObjects()
	w.wantSays("a", "app@1")
	w.wantProblem("app", v1alpha1.ReasonValuesMissing, `has no key "v.yaml"`)

	w.secret("values", map[string]string{"v.yaml": "- p2"})
	h.checkObjects()
	w.wantSays("a", "app@1")
	w.wantProblem("app", v1alpha1.ReasonValuesMissing, "is no YAML mapping")

	w.secret("values", map[string]string{"v.yaml": "password: p2"})
	h.checkObjects()
	w.wantSays("a", "app@2")
	if got := h.shown("a", "values-1"); got != `{"password":"p2"}` {
		t.Errorf("the values changed and the content says %s", got)
	}
	if p := w.rollout("app").Status.Problems; len(p) != 0 {
		t.Errorf("problems stay: %+v", p)
	}
}

func TestABundleWithoutHubValuesNeverDeploysWithChartDefaults(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	h.deploy(withValues(w.fromGit("app", "ConfigMap/one")))
	h.wantRenders(0)
	w.wantSays("a", "")
	w.wantProblem("app", v1alpha1.ReasonValuesMissing, "there is no ConfigMap values")
}

func TestOnlyBundlesThatNameHubObjectsCauseRequests(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	w.cluster("b", nil)
	w.configMap("values", map[string]string{"v.yaml": "color: blue"})
	w.secret("values", map[string]string{"v.yaml": ""})
	h := w.process()
	h.deploy(w.fromGit("plain", "ConfigMap/two"))
	h.checkObjects()
	if got := h.calls.takeReads(); len(got) != 0 {
		t.Errorf("a hub without hubValuesFrom reads %v", got)
	}

	h.deploy(withValues(w.fromGit("app", "ConfigMap/one")), withValues(w.fromGit("web", "ConfigMap/web")))
	both := []string{"configmaps/values", "secrets/values"}
	if diff := cmp.Diff(both, h.calls.takeReads()); diff != "" {
		t.Errorf("reads of two bundles on two clusters with the same values (-want +got):\n%s", diff)
	}
	h.calls.take()
	h.checkObjects()
	h.redeploy("app", "web")
	if diff := cmp.Diff(both, h.calls.takeReads()); diff != "" {
		t.Errorf("reads of a check that finds nothing (-want +got):\n%s", diff)
	}
	wantWrites(t, h)

	h = w.process()
	h.all()
	h.calls.takeReads()
	wantWrites(t, h)
	h.wantRenders(0)
	h.remove("web", "app")
	h.calls.takeReads()
	h.deployer.Forget(w.workspace, "web")
	h.deployer.Forget(w.workspace, "app")
	h.checkObjects()
	if got := h.calls.takeReads(); len(got) != 0 {
		t.Errorf("objects of deleted bundles are read: %v", got)
	}
}

func TestHubValuesOfAnotherNamespaceAreRefusedUnread(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	d := withValues(w.fromGit("app", "ConfigMap/one"))
	for _, v := range d.Bundle.Spec.HubValuesFrom {
		if v.SecretKeyRef != nil {
			v.SecretKeyRef.Namespace = "kube-system"
		}
	}
	d.Bundle.Spec.HubValuesFrom = d.Bundle.Spec.HubValuesFrom[:1]
	h.deploy(d)
	w.wantSays("a", "")
	w.wantProblem("app", v1alpha1.ReasonValuesMissing, "kube-system")
	if got := h.calls.takeReads(); len(got) != 0 {
		t.Errorf("read %v", got)
	}
}

func TestScenario93HubObjectsAreCopiedAndFollowed(t *testing.T) {
	w := newWorld(t)
	w.cluster("a", nil)
	h := w.process()
	d := w.fromGit("app", "ConfigMap/one")
	d.Bundle.Spec.DownstreamResources = []v1alpha1.DownstreamResource{{Kind: "Secret", Name: "pull"}, {Kind: "ConfigMap", Name: "ca"}}
	h.deploy(d)
	w.wantProblem("app", v1alpha1.ReasonValuesMissing, "there is no Secret pull")

	w.secret("pull", map[string]string{"k": "v1"})
	w.configMap("ca", map[string]string{"ca.crt": "pem"})
	h.checkObjects()
	w.wantSays("a", "app@1")
	if got, want := h.shown("a", "copied-0"), `{"apiVersion":"v1","data":{"k":"djE="},"kind":"Secret","metadata":{"name":"pull"},"type":"Opaque"}`; got != want {
		t.Errorf("copied %s, want %s", got, want)
	}
	if got, want := h.shown("a", "copied-1"), `{"apiVersion":"v1","data":{"ca.crt":"pem"},"kind":"ConfigMap","metadata":{"name":"ca"}}`; got != want {
		t.Errorf("copied %s, want %s", got, want)
	}
	w.secret("pull", map[string]string{"k": "v2"})
	h.checkObjects()
	w.wantSays("a", "app@2")
}
