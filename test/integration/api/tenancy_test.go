package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	policies = schema.GroupVersionResource{Group: "muster.dev", Version: "v1alpha1", Resource: "policies"}
	mappings = schema.GroupVersionResource{Group: "muster.dev", Version: "v1alpha1", Resource: "bundlenamespacemappings"}
)

// flat is an object whose fields stand at the top level, as Fleet has them.
func flat(kind, name, fields string) string {
	return "apiVersion: muster.dev/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: default}\n" + fields + "\n"
}

func TestPoliciesAndMappingsThatMeanNothingAreRefused(t *testing.T) {
	hub := dial(t)
	for name, tc := range map[string]struct {
		in               schema.GroupVersionResource
		kind, text, want string
	}{
		"a namespace that cannot be": {policies, "Policy", "allowedTargetNamespaces: [Team]", "allowedTargetNamespaces[0] in body should match"},
		"an empty namespace":         {policies, "Policy", "allowedTargetNamespaces: ['']", "should be at least 1 chars long"},
		"a namespace twice":          {policies, "Policy", "allowedTargetNamespaces: [a, a]", "Duplicate value"},
		"an operator nobody knows": {policies, "Policy", "allowedTargetNamespaceSelector: {matchExpressions: [{key: a, operator: Near}]}",
			"write each operator as In or NotIn with values"},
		"In without values": {mappings, "BundleNamespaceMapping", "bundleSelector: {matchExpressions: [{key: a, operator: In}]}",
			"write each operator as In or NotIn with values"},
		"Exists with values": {mappings, "BundleNamespaceMapping", "namespaceSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
			"write each operator as In or NotIn with values"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := hub.client.Resource(tc.in).Namespace("default").Create(t.Context(), parse(t, flat(tc.kind, "bad", tc.text)), metav1.CreateOptions{})
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("create: got %v, want a refusal with %q", err, tc.want)
			}
		})
	}
}

func TestFleetsMappingAndRestrictionsAreKeptFieldForField(t *testing.T) {
	hub := dial(t)
	one := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "one"}}
	got := stored[v1alpha1.BundleNamespaceMapping](t, hub, mappings, flat("BundleNamespaceMapping", "mapping",
		"bundleSelector: {matchLabels: {team: one}}\nnamespaceSelector: {}"))
	if diff := cmp.Diff([]*metav1.LabelSelector{one, {}}, []*metav1.LabelSelector{got.BundleSelector, got.NamespaceSelector}); diff != "" {
		t.Errorf("mapping (-want +got):\n%s", diff)
	}
	policy := stored[v1alpha1.Policy](t, hub, policies, flat("Policy", "restriction",
		"allowedTargetNamespaces: [a, b]\nallowedTargetNamespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [u, v]}, {key: z, operator: Exists}]}"))
	if diff := cmp.Diff([]string{"a", "b"}, policy.AllowedTargetNamespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if got := metav1.FormatLabelSelector(policy.AllowedTargetNamespaceSelector); got != "team notin (u,v),z" {
		t.Errorf("selector: got %q", got)
	}
	none := stored[v1alpha1.BundleNamespaceMapping](t, hub, mappings, flat("BundleNamespaceMapping", "nothing", "bundleSelector: null"))
	if none.BundleSelector != nil || none.NamespaceSelector != nil {
		t.Errorf("absent selectors became %+v, want none: {} would select all", none)
	}
}

// stored is what the API server gives back of a manifest, as Go reads it.
func stored[T any](t *testing.T, h hub, gvr schema.GroupVersionResource, manifest string) T {
	t.Helper()
	objects := h.client.Resource(gvr).Namespace("default")
	live, err := objects.Create(t.Context(), parse(t, manifest), metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatalf("create:\n%s\n%v", manifest, err)
	}
	var out T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, &out); err != nil {
		t.Fatal(err)
	}
	if err := objects.Delete(t.Context(), live.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	return out
}
