package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// fleetGroup is the API group of Rancher Fleet, whose objects are read too.
const fleetGroup = "fleet.cattle.io"

// kindReader takes one object of a kind into the inventory.
type kindReader func(*inventory, unstructured.Unstructured) error

// hubKinds are the kinds of our group that say something about targeting, with
// Fleet's names for them.
var hubKinds = map[string]kindReader{
	"Cluster":      readCluster,
	"ClusterGroup": readGroup,
	"GitRepo":      readRepo,

	"BundleNamespaceMapping": readMapping,
	"Policy":                 readPolicy,
	"GitRepoRestriction":     readPolicy, // Fleet's name
}

// coreKinds are Kubernetes' own kinds that bundles read values from.
var coreKinds = map[string]kindReader{
	"Namespace": readNamespace,
	"ConfigMap": readConfigMap,
	"Secret":    readSecret,
}

// readerOf is nil for a kind that an inventory has no use for.
func readerOf(object unstructured.Unstructured) kindReader {
	group, _, _ := strings.Cut(object.GetAPIVersion(), "/")
	switch {
	case group == v1alpha1.Group, group == fleetGroup:
		return hubKinds[object.GetKind()]
	case object.GetAPIVersion() == "v1":
		return coreKinds[object.GetKind()]
	}
	return nil
}

func readCluster(inv *inventory, object unstructured.Unstructured) error {
	facts, err := factsOf(object)
	if err != nil {
		return err
	}
	var c v1alpha1.Cluster
	if err := decode(object, &c); err != nil {
		return err
	}
	known := targets.Cluster{Workspace: c.Namespace, Name: c.Name, Labels: c.Labels, Annotations: c.Annotations, Paused: c.Spec.Paused}
	if isFleets(object) {
		// Fleet does not ask a namespace whether it is a workspace.
		known.WorkspaceLabels = map[string]string{v1alpha1.LabelWorkspace: "true"}
	}
	if len(c.Spec.TemplateValues) > 0 {
		if known.TemplateValues, err = json.Marshal(c.Spec.TemplateValues); err != nil {
			return fmt.Errorf("spec.templateValues: %w", err)
		}
	}
	inv.clusters = append(inv.clusters, known)
	inv.facts[known.Key()] = facts
	return nil
}

func isFleets(object unstructured.Unstructured) bool {
	return strings.HasPrefix(object.GetAPIVersion(), fleetGroup+"/")
}

// factsOf is what the agent has said of its cluster; Fleet keeps no such facts.
func factsOf(object unstructured.Unstructured) (renderer.Facts, error) {
	reported, found, err := unstructured.NestedMap(object.Object, "status", "facts")
	if err != nil || !found || isFleets(object) {
		return renderer.Facts{}, err
	}
	var facts v1alpha1.ClusterFacts
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(reported, &facts); err != nil {
		return renderer.Facts{}, fmt.Errorf("status.facts: %w", err)
	}
	return renderer.Facts{KubeVersion: facts.KubernetesVersion, APIVersions: facts.APIVersions}, nil
}

func readGroup(inv *inventory, object unstructured.Unstructured) error {
	var g v1alpha1.ClusterGroup
	if err := decode(object, &g); err != nil {
		return err
	}
	inv.groups = append(inv.groups, targets.Group{Workspace: g.Namespace, Name: g.Name, Labels: g.Labels, Selector: &g.Spec})
	return nil
}

func readRepo(inv *inventory, object unstructured.Unstructured) error {
	var r v1alpha1.GitRepo
	if err := decode(object, &r); err != nil {
		return err
	}
	inv.repos = append(inv.repos, r)
	return nil
}

func readMapping(inv *inventory, object unstructured.Unstructured) error {
	var m v1alpha1.BundleNamespaceMapping
	if err := decode(object, &m); err != nil {
		return err
	}
	inv.mappings[m.Namespace] = append(inv.mappings[m.Namespace], targets.MappingOf(&m))
	return nil
}

func readPolicy(inv *inventory, object unstructured.Unstructured) error {
	var p v1alpha1.Policy
	if err := decode(object, &p); err != nil {
		return err
	}
	inv.policies[p.Namespace] = append(inv.policies[p.Namespace], targets.PolicyOf(&p))
	return nil
}

func readNamespace(inv *inventory, object unstructured.Unstructured) error {
	inv.workspaces[object.GetName()] = object.GetLabels()
	return nil
}

func readConfigMap(inv *inventory, object unstructured.Unstructured) error {
	var c corev1.ConfigMap
	if err := decode(object, &c); err != nil {
		return err
	}
	data := map[string][]byte{}
	for key, text := range c.Data {
		data[key] = []byte(text)
	}
	for key, bytes := range c.BinaryData {
		data[key] = bytes
	}
	return inv.objects.add(object, data)
}

func readSecret(inv *inventory, object unstructured.Unstructured) error {
	// A template of a Secret may hold stringData, as one that kubectl would create.
	plain, _, err := unstructured.NestedStringMap(object.Object, "stringData")
	if err != nil {
		return err
	}
	encoded, _, err := unstructured.NestedStringMap(object.Object, "data")
	if err != nil {
		return err
	}
	data := map[string][]byte{}
	for key, text := range encoded {
		if data[key], err = base64.StdEncoding.DecodeString(text); err != nil {
			return fmt.Errorf("data.%s is not base64", key) // never with a part of the value
		}
	}
	for key, text := range plain {
		data[key] = []byte(text)
	}
	return inv.objects.add(object, data)
}
