package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// maxInventory bounds an inventory file: a hundred thousand clusters.
const maxInventory = 128 << 20

// defaultWorkspace is where objects of an inventory are that name no namespace.
const defaultWorkspace = "default"

// inventory is what the hub would hold, read from files.
type inventory struct {
	clusters []targets.Cluster
	groups   []targets.Group
	repos    []v1alpha1.GitRepo
	// facts are what agents have said of their clusters, by cluster key.
	facts map[string]renderer.Facts
	// mappings and policies by workspace.
	mappings map[string][]targets.Mapping
	policies map[string][]targets.Policy
	// workspaces maps namespaces to their labels.
	workspaces map[string]map[string]string
	// objects are ConfigMaps and Secrets.
	objects objects
	// problems are warnings about what stands in the files and changes nothing.
	problems []v1alpha1.Problem
	// seen tells which file described an object first.
	seen map[string]string
}

// readInventory reads YAML streams, or Lists, of what a hub holds: ours or
// Fleet's kinds, as kubectl prints them; other kinds are left alone. "-" is in.
func readInventory(files []string, in io.Reader) (inventory, error) {
	inv := inventory{
		facts: map[string]renderer.Facts{}, mappings: map[string][]targets.Mapping{}, policies: map[string][]targets.Policy{},
		workspaces: map[string]map[string]string{}, objects: objects{}, seen: map[string]string{},
	}
	for i, file := range files {
		if slices.Contains(files[:i], file) {
			continue // completion parses flags twice, and nobody means it twice
		}
		data, err := readBounded(file, in)
		if err != nil {
			return inv, fmt.Errorf("read inventory %s: %w", file, err)
		}
		if err := inv.addStream(&stream{file: file, data: data}); err != nil {
			return inv, fmt.Errorf("read inventory %s: %w", file, err)
		}
	}
	inv.finish()
	return inv, nil
}

// readBounded reads a file, or standard input for "-".
func readBounded(file string, in io.Reader) ([]byte, error) {
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, withoutPath(err)
		}
		defer opened.Close()
		in = opened
	}
	data, err := io.ReadAll(io.LimitReader(in, maxInventory+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case len(data) > maxInventory:
		return nil, fmt.Errorf("more than %d MiB", maxInventory>>20)
	}
	return data, nil
}

// withoutPath leaves out of an error what the caller names anyway.
func withoutPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (inv *inventory) addStream(s *stream) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(s.data)))
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
		if err := inv.add(s, object); err != nil {
			return fmt.Errorf("document %d: %w", number, err)
		}
	}
}

// add takes one object, or the items of a List.
func (inv *inventory) add(s *stream, object unstructured.Unstructured) error {
	if items, ok := object.Object["items"].([]any); ok && strings.HasSuffix(object.GetKind(), "List") {
		for i, item := range items {
			fields, ok := item.(map[string]any)
			if !ok {
				return fmt.Errorf("item %d of the %s is not an object", i, object.GetKind())
			}
			if err := inv.add(s, unstructured.Unstructured{Object: fields}); err != nil {
				return err
			}
		}
		return nil
	}
	read := readerOf(object)
	if read == nil {
		return nil
	}
	if err := inv.addKnown(s.file, object, read); err != nil {
		var fault *fieldFault
		if errors.As(err, &fault) {
			if line := s.line(object, fault.field); line > 0 {
				err = fmt.Errorf("line %d: %w", line, err)
			}
		}
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	inv.warnOfFields(s, object)
	return nil
}

// addKnown refuses an object described twice: which one counts would be chance.
func (inv *inventory) addKnown(file string, object unstructured.Unstructured, read kindReader) error {
	if object.GetName() == "" {
		return errors.New("it has no metadata.name")
	}
	if object.GetNamespace() == "" && object.GetKind() != "Namespace" {
		object.SetNamespace(defaultWorkspace)
	}
	id := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
	if first, twice := inv.seen[id]; twice {
		if first == file {
			return fmt.Errorf("%s/%s is in it twice", object.GetNamespace(), object.GetName())
		}
		return fmt.Errorf("%s/%s is also in %s", object.GetNamespace(), object.GetName(), first)
	}
	inv.seen[id] = file
	return read(inv, object)
}

// finish sorts, and gives every cluster the labels of its workspace.
func (inv *inventory) finish() {
	slices.SortFunc(inv.clusters, func(a, b targets.Cluster) int { return strings.Compare(a.Key(), b.Key()) })
	slices.SortFunc(inv.repos, func(a, b v1alpha1.GitRepo) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	for i := range inv.clusters {
		c := &inv.clusters[i]
		c.WorkspaceLabels = mergeLabels(inv.workspaces[c.Workspace], c.WorkspaceLabels)
	}
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
