package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// maxInventory bounds an inventory file: a hundred thousand clusters.
const maxInventory = 128 << 20

// defaultWorkspace is where objects of an inventory are that name no namespace.
const defaultWorkspace = "default"

// inventory is what the hub would hold, read from a file.
type inventory struct {
	clusters []targets.Cluster
	groups   []targets.Group
	repos    []v1alpha1.GitRepo
}

// readInventory reads a YAML stream, or Lists, of Clusters, ClusterGroups and
// GitRepos, ours or Fleet's; other kinds are left alone. No file is an empty one.
func readInventory(file string) (inventory, error) {
	var inv inventory
	if file == "" {
		return inv, nil
	}
	opened, err := os.Open(file)
	if err != nil {
		return inv, fmt.Errorf("read inventory: %w", err)
	}
	defer opened.Close()
	data, err := io.ReadAll(io.LimitReader(opened, maxInventory+1))
	switch {
	case err != nil:
		return inv, fmt.Errorf("read inventory: %w", err)
	case len(data) > maxInventory:
		return inv, fmt.Errorf("read inventory %s: more than %d bytes", file, maxInventory)
	}
	if err := inv.addStream(data); err != nil {
		return inv, fmt.Errorf("read inventory %s: %w", file, err)
	}
	inv.sort()
	return inv, inv.refuseTwins(file)
}

func (inv *inventory) addStream(data []byte) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("document %d: %w", number, err)
		}
		var object unstructured.Unstructured
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return fmt.Errorf("document %d: %w", number, err)
		}
		if err := inv.add(object); err != nil {
			return fmt.Errorf("document %d: %w", number, err)
		}
	}
}

// add takes one object, or the items of a List.
func (inv *inventory) add(object unstructured.Unstructured) error {
	if items, ok := object.Object["items"].([]any); ok && strings.HasSuffix(object.GetKind(), "List") {
		for i, item := range items {
			fields, ok := item.(map[string]any)
			if !ok {
				return fmt.Errorf("item %d of the %s is not an object", i, object.GetKind())
			}
			if err := inv.add(unstructured.Unstructured{Object: fields}); err != nil {
				return err
			}
		}
		return nil
	}
	group, _, _ := strings.Cut(object.GetAPIVersion(), "/")
	if group != v1alpha1.Group && group != "fleet.cattle.io" {
		return nil
	}
	if object.GetNamespace() == "" {
		object.SetNamespace(defaultWorkspace)
	}
	if err := inv.addKind(object); err != nil {
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

func (inv *inventory) addKind(object unstructured.Unstructured) error {
	switch object.GetKind() {
	case "Cluster":
		var c v1alpha1.Cluster
		if err := decode(object, &c); err != nil {
			return err
		}
		known, err := clusterOf(c)
		inv.clusters = append(inv.clusters, known)
		return err
	case "ClusterGroup":
		var g v1alpha1.ClusterGroup
		if err := decode(object, &g); err != nil {
			return err
		}
		inv.groups = append(inv.groups, targets.Group{Workspace: g.Namespace, Name: g.Name, Labels: g.Labels, Selector: &g.Spec})
	case "GitRepo":
		var r v1alpha1.GitRepo
		if err := decode(object, &r); err != nil {
			return err
		}
		inv.repos = append(inv.repos, r)
	}
	return nil
}

// decode is strict in the spec of our own kinds, where an unknown field is a
// misspelling; Fleet's have fields of their own.
func decode(object unstructured.Unstructured, into any) error {
	strict := strings.HasPrefix(object.GetAPIVersion(), v1alpha1.Group+"/")
	if object.GetName() == "" {
		return errors.New("it has no metadata.name")
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, into, strict)
}

// clusterOf is what targeting looks at.
func clusterOf(c v1alpha1.Cluster) (targets.Cluster, error) {
	known := targets.Cluster{Workspace: c.Namespace, Name: c.Name, Labels: c.Labels, Annotations: c.Annotations, Paused: c.Spec.Paused}
	if len(c.Spec.TemplateValues) == 0 {
		return known, nil
	}
	values, err := json.Marshal(c.Spec.TemplateValues)
	if err != nil {
		return known, fmt.Errorf("spec.templateValues: %w", err)
	}
	known.TemplateValues = values
	return known, nil
}

func (inv *inventory) sort() {
	slices.SortFunc(inv.clusters, func(a, b targets.Cluster) int { return strings.Compare(a.Key(), b.Key()) })
	slices.SortFunc(inv.repos, func(a, b v1alpha1.GitRepo) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
}

// refuseTwins finds a cluster described twice: which one counts would be chance.
func (inv *inventory) refuseTwins(file string) error {
	for i := 1; i < len(inv.clusters); i++ {
		if inv.clusters[i].Key() == inv.clusters[i-1].Key() {
			return fmt.Errorf("read inventory %s: cluster %s is in it twice", file, inv.clusters[i].Key())
		}
	}
	return nil
}

// cluster finds by name or workspace/name; the error names the nearest.
func (inv *inventory) cluster(name string) (targets.Cluster, error) {
	var found []targets.Cluster
	var known []string
	for _, c := range inv.clusters {
		if c.Name == name || c.Key() == name {
			found = append(found, c)
		}
		known = append(known, c.Name)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return targets.Cluster{}, usagef("cluster %s is in several workspaces: write WORKSPACE/%s", name, name)
	}
	return targets.Cluster{}, unknown("cluster", name, known)
}

// unknown is the error for a name that is not among the known ones.
func unknown(what, name string, known []string) error {
	switch near := nearest(name, known); {
	case near != "":
		return fmt.Errorf("no %s %q; did you mean %q?", what, name, near)
	case len(known) == 0:
		return fmt.Errorf("no %s %q; there are none at all", what, name)
	case len(known) > 20:
		return fmt.Errorf("no %s %q among %d", what, name, len(known))
	}
	slices.Sort(known)
	return fmt.Errorf("no %s %q; there are %s", what, name, strings.Join(slices.Compact(known), ", "))
}
