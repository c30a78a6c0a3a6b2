package manager_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// Nothing but the change itself tells the manager.
func TestChangesReachTheBundlesThatTheyConcern(t *testing.T) {
	h := start(t)
	for name, scenario := range map[string]func(*workspace){
		"a policy comes and goes":                  policy,
		"a mapping comes and goes":                 mapping,
		"a namespace's labels let a bundle in":     namespaceLabels,
		"a ConfigMap on the hub changes":           hubConfigMap,
		"a copied Secret appears":                  copiedSecret,
		"a label that a failed chart asked for":    troubled,
		"a label that a chart that runs asked for": asked,
		"a label of the targets":                   targeted,
	} {
		t.Run(name, func(t *testing.T) { scenario(h.workspace(t)) })
	}
}

func policy(w *workspace) {
	w.cluster("a")
	namespace := "shop"
	w.bundle("app", plain(), func(s *v1alpha1.BundleSpec) { s.Namespace = &namespace })
	w.untilSays("a", "app@1")
	p := &v1alpha1.Policy{ObjectMeta: w.meta("p"), AllowedTargetNamespaces: []string{"team"}}
	w.create(p)
	w.untilProblem("app", v1alpha1.ReasonPolicyDenied)
	w.edit(p, func() { p.AllowedTargetNamespaces = []string{"team", namespace} })
	w.untilProblem("app", "")
	w.edit(p, func() { p.AllowedTargetNamespaces = []string{"team"} })
	w.untilProblem("app", v1alpha1.ReasonPolicyDenied)
	check(w.t, w.api.Delete(w.t.Context(), p))
	w.untilProblem("app", "")
	w.untilSays("a", "app@1")
}

// mapTo lets bundles reach workspaces with a label that names this one.
func (w *workspace) mapTo() *v1alpha1.BundleNamespaceMapping {
	m := &v1alpha1.BundleNamespaceMapping{ObjectMeta: w.meta("m")}
	m.BundleSelector = &metav1.LabelSelector{}
	m.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"of": w.name}}
	w.create(m)
	return m
}

func (w *workspace) relabel(labels map[string]string) {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.name}}
	labels[v1alpha1.LabelWorkspace] = "true"
	w.edit(ns, func() { ns.Labels = labels })
}

func mapping(w *workspace) {
	other := w.hub.workspace(w.t)
	other.relabel(map[string]string{"of": w.name})
	w.cluster("a")
	other.cluster("x")
	w.bundle("app", plain(), nil)
	w.untilSays("a", "app@1")
	m := w.mapTo()
	other.untilSays("x", "app@2")
	check(w.t, w.api.Delete(w.t.Context(), m))
	other.untilSays("x", "-app")
	w.untilSays("a", "app@1")
}

func namespaceLabels(w *workspace) {
	other := w.hub.workspace(w.t)
	w.cluster("a")
	other.cluster("x")
	w.mapTo()
	w.bundle("app", plain(), nil)
	w.untilSays("a", "app@1")
	other.relabel(map[string]string{"of": w.name})
	other.untilSays("x", "app@2")
	other.relabel(map[string]string{})
	other.untilSays("x", "-app")
}

func hubConfigMap(w *workspace) {
	w.cluster("a")
	values := &corev1.ConfigMap{ObjectMeta: w.meta("values"), Data: map[string]string{"v.yaml": "color: blue"}}
	w.create(values)
	w.bundle("app", chart("{{ .Values.color }}"), func(s *v1alpha1.BundleSpec) {
		s.HubValuesFrom = []v1alpha1.ValuesFrom{{ConfigMapKeyRef: &v1alpha1.KeyRef{Name: "values", Key: "v.yaml"}}}
	})
	w.untilSays("a", "app@1")
	w.edit(values, func() { values.Data["v.yaml"] = "color: red" })
	w.untilSays("a", "app@2")
	check(w.t, w.api.Delete(w.t.Context(), values))
	w.untilProblem("app", v1alpha1.ReasonValuesMissing)
	w.untilSays("a", "app@2")
}

func copiedSecret(w *workspace) {
	w.cluster("a")
	w.bundle("app", plain(), func(s *v1alpha1.BundleSpec) {
		s.DownstreamResources = []v1alpha1.DownstreamResource{{Kind: "Secret", Name: "pull"}}
	})
	w.untilProblem("app", v1alpha1.ReasonValuesMissing)
	w.create(&corev1.Secret{ObjectMeta: w.meta("pull"), StringData: map[string]string{"k": "v"}})
	w.untilSays("a", "app@1")
	w.untilProblem("app", "")
}

// No target names the label and nothing runs that says who asks for it.
func troubled(w *workspace) {
	c := w.cluster("a")
	w.bundle("app", chart(`{{ required "a color" .Values.global.fleet.clusterLabels.color }}`), nil)
	w.untilProblem("app", v1alpha1.ReasonRenderFailed)
	w.edit(c, func() { c.Labels = map[string]string{"color": "blue"} })
	w.untilSays("a", "app@1")
	w.untilProblem("app", "")
}

func asked(w *workspace) {
	c := w.cluster("a")
	w.bundle("app", chart(`x{{ .Values.global.fleet.clusterLabels.color }}`), nil)
	w.untilSays("a", "app@1")
	w.edit(c, func() { c.Labels = map[string]string{"color": "blue"} })
	w.untilSays("a", "app@2")
}

func targeted(w *workspace) {
	w.cluster("a")
	c := w.cluster("b")
	w.bundle("app", plain(), func(s *v1alpha1.BundleSpec) {
		s.Targets[0].ClusterSelector.MatchLabels = map[string]string{"env": "prod"}
	})
	w.edit(c, func() { c.Labels = map[string]string{"env": "prod"} })
	w.untilSays("b", "app@1")
	w.edit(c, func() { c.Labels = nil })
	w.untilSays("b", "-app")
}
