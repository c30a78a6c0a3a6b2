// Package charts_test installs the charts without a container runtime: rendered
// by the Helm library, applied to a real API server, and with manager and agent
// as processes that get the chart's arguments and its accounts' tokens.
package charts_test

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/muster-dev/muster/charts"
	"github.com/muster-dev/muster/internal/lab/plane"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // tests say what is wrong
	plane.Main(m)
}

// values of a chart.
type values = map[string]any

// render renders as `helm install` does, values checked against the schema.
func render(name, namespace string, v values) ([]*unstructured.Unstructured, error) {
	var files []*loader.BufferedFile
	err := fs.WalkDir(charts.Files, name, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(charts.Files, file)
		files = append(files, &loader.BufferedFile{Name: strings.TrimPrefix(file, name+"/"), Data: data})
		return err
	})
	if err != nil {
		return nil, err
	}
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	if err := chart.Validate(); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: name, Namespace: namespace, IsInstall: true, Revision: 1}
	input, err := chartutil.ToRenderValues(chart, v, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(chart, input)
	if err != nil {
		return nil, err
	}
	return objects(rendered)
}

// objects are in Helm's order; NOTES have to render too, and are checked to be text.
func objects(rendered map[string]string) ([]*unstructured.Unstructured, error) {
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if path.Base(name) != "NOTES.txt" {
			continue
		}
		if text := rendered[name]; strings.TrimSpace(text) == "" || strings.Contains(text, "<no value>") || strings.Contains(text, "<nil>") {
			return nil, fmt.Errorf("%s reads:\n%s", name, text)
		}
		delete(rendered, name)
	}
	_, sorted, err := releaseutil.SortManifests(rendered, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for _, m := range sorted {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(m.Content), &object.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		if len(object.Object) > 0 {
			found = append(found, object)
		}
	}
	return found, nil
}

// install applies a chart as an administrator would, and removes it at the end.
func install(t *testing.T, c client.Client, name, namespace string, v values) []*unstructured.Unstructured {
	t.Helper()
	found, err := render(name, namespace, v)
	if err != nil {
		t.Fatalf("render %s: %v", name, err)
	}
	for _, object := range found {
		if err := apply(t, c, object); err != nil {
			t.Fatalf("apply %s %s of %s: %v", object.GetKind(), object.GetName(), name, err)
		}
	}
	return found
}

// apply is server-side apply that refuses fields the API server does not know.
func apply(t *testing.T, c client.Client, object *unstructured.Unstructured) error {
	t.Helper()
	wanted := object.DeepCopy()
	options := []client.ApplyOption{client.ForceOwnership, client.FieldOwner("helm")}
	return client.WithFieldValidation(c, "Strict").Apply(t.Context(), client.ApplyConfigurationFromUnstructured(wanted), options...)
}

// one returns the only object of a kind.
func one(t *testing.T, found []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	t.Helper()
	for _, object := range found {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	t.Fatalf("no %s %s among %d objects", kind, name, len(found))
	return nil
}
