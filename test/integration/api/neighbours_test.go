package api_test

import (
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab/plane"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Rancher's hubs serve gitrepos, bundles and clusters of Fleet and clusters of
// Cluster API; Muster's stand beside them, each under its own group.
func TestMusterLivesBesideFleetAndClusterAPI(t *testing.T) {
	config := plane.HubForTest(t)
	crds, err := apiextensions.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	neighbours := []struct{ group, version, plural, kind, short string }{
		{"fleet.cattle.io", "v1alpha1", "gitrepos", "GitRepo", "gr"},
		{"fleet.cattle.io", "v1alpha1", "bundles", "Bundle", "bu"},
		{"fleet.cattle.io", "v1alpha1", "clusters", "Cluster", "fc"},
		{"fleet.cattle.io", "v1alpha1", "clustergroups", "ClusterGroup", "fcg"},
		{"cluster.x-k8s.io", "v1beta1", "clusters", "Cluster", "cl"},
		{"provisioning.cattle.io", "v1", "clusters", "Cluster", "pcl"},
	}
	for _, n := range neighbours {
		install(t, crds, lookAlike(n.group, n.version, n.plural, n.kind, n.short))
	}
	for _, n := range neighbours {
		theirs := schema.GroupVersionResource{Group: n.group, Version: n.version, Resource: n.plural}
		ours := schema.GroupVersionResource{Group: "muster.dev", Version: "v1alpha1", Resource: n.plural}
		for _, gvr := range []schema.GroupVersionResource{theirs, ours} {
			roundTrip(t, client, gvr, n.kind)
		}
		onlyIn(t, client, theirs, ours, n.kind)
	}
	requireShortName(t, crds, "clusters.muster.dev", "mc")
	requireShortName(t, crds, "gitrepos.muster.dev", "mgr")
}

// roundTrip creates, reads and deletes one object named "same" in every group.
func roundTrip(t *testing.T, client dynamic.Interface, gvr schema.GroupVersionResource, kind string) {
	t.Helper()
	objects := client.Resource(gvr).Namespace("default")
	if _, err := objects.Create(t.Context(), named(gvr, kind), metav1.CreateOptions{}); err != nil {
		t.Fatalf("create %s: %v", gvr, err)
	}
	got, err := objects.Get(t.Context(), "same", metav1.GetOptions{})
	if err != nil || got.GetAPIVersion() != gvr.GroupVersion().String() {
		t.Fatalf("get %s: got %v, %v", gvr, got, err)
	}
	if err := objects.Delete(t.Context(), "same", metav1.DeleteOptions{}); err != nil {
		t.Fatalf("delete %s: %v", gvr, err)
	}
}

// onlyIn creates an object in one group and looks for it in the other.
func onlyIn(t *testing.T, client dynamic.Interface, in, other schema.GroupVersionResource, kind string) {
	t.Helper()
	objects := client.Resource(in).Namespace("default")
	if _, err := objects.Create(t.Context(), named(in, kind), metav1.CreateOptions{}); err != nil {
		t.Fatalf("create %s: %v", in, err)
	}
	list, err := client.Resource(other).Namespace("default").List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=same"})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("%s shows up among %s: %d objects, %v", in, other, len(list.Items), err)
	}
	if err := objects.Delete(t.Context(), "same", metav1.DeleteOptions{}); err != nil {
		t.Fatalf("delete %s: %v", in, err)
	}
}

func named(gvr schema.GroupVersionResource, kind string) *unstructured.Unstructured {
	object := map[string]any{
		"apiVersion": gvr.GroupVersion().String(), "kind": kind,
		"metadata": map[string]any{"name": "same", "namespace": "default"},
		"spec":     map[string]any{},
	}
	if kind == "GitRepo" {
		object["spec"] = map[string]any{"repo": "https://git.example.com/fleet"}
	}
	return &unstructured.Unstructured{Object: object}
}

// lookAlike is a CRD with the names of a neighbour's and no schema to speak of.
func lookAlike(group, version, plural, kind, short string) *apiextensionsv1.CustomResourceDefinition {
	free := true
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group, Annotations: map[string]string{
			"api-approved.kubernetes.io": "unapproved, a look-alike for a test"}},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind, ListKind: kind + "List", ShortNames: []string{short}},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: &free,
				}},
			}},
		},
	}
}

func install(t *testing.T, crds *apiextensions.ApiextensionsV1Client, crd *apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if _, err := crds.CustomResourceDefinitions().Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
		t.Fatalf("install %s: %v", crd.Name, err)
	}
	await(t, crd.Name+" Established", func() bool {
		live, err := crds.CustomResourceDefinitions().Get(t.Context(), crd.Name, metav1.GetOptions{})
		return err == nil && holds(live, apiextensionsv1.Established)
	})
}

// requireShortName checks that no neighbour took the short name.
func requireShortName(t *testing.T, crds *apiextensions.ApiextensionsV1Client, name, short string) {
	t.Helper()
	live, err := crds.CustomResourceDefinitions().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !holds(live, apiextensionsv1.NamesAccepted) || len(live.Status.AcceptedNames.ShortNames) != 1 || live.Status.AcceptedNames.ShortNames[0] != short {
		t.Errorf("%s: accepted short names %q, want %q; conditions %v", name, live.Status.AcceptedNames.ShortNames, short, live.Status.Conditions)
	}
}

func holds(crd *apiextensionsv1.CustomResourceDefinition, kind apiextensionsv1.CustomResourceDefinitionConditionType) bool {
	for _, c := range crd.Status.Conditions {
		if c.Type == kind {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}

// await polls an API server, which offers no other way to wait for a CRD.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	timeout := time.After(30 * time.Second)
	for !done() {
		select {
		case <-timeout:
			t.Fatalf("waited 30 s for %s", what)
		case <-ticks.C:
		}
	}
}
