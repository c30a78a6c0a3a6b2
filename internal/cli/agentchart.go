package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/muster-dev/muster/charts"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// agentObject is one object as text and as values.
type agentObject struct {
	Text   string
	Object *unstructured.Unstructured
}

// agentManifests renders the chart muster-agent, its namespace first.
func agentManifests(namespace string, values map[string]any) ([]agentObject, error) {
	agent, err := embeddedChart("muster-agent")
	if err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "muster-agent", Namespace: namespace, Revision: 1, IsInstall: true}
	input, err := chartutil.ToRenderValues(agent, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, fmt.Errorf("prepare chart muster-agent: %w", err)
	}
	files, err := engine.Render(agent, input)
	if err != nil {
		return nil, fmt.Errorf("render chart muster-agent: %w", err)
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	_, sorted, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, fmt.Errorf("sort chart muster-agent: %w", err)
	}
	texts := []string{"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " + namespace + "\n"}
	for _, m := range sorted {
		texts = append(texts, m.Content)
	}
	return parseManifests(texts)
}

// embeddedChart loads a chart from this program.
func embeddedChart(name string) (*chart.Chart, error) {
	var files []*loader.BufferedFile
	err := fs.WalkDir(charts.Files, name, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(charts.Files, path)
		files = append(files, &loader.BufferedFile{Name: strings.TrimPrefix(path, name+"/"), Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read chart %s: %w", name, err)
	}
	return loader.LoadFiles(files)
}

func parseManifests(texts []string) ([]agentObject, error) {
	var manifests []agentObject
	for _, text := range texts {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
			return nil, fmt.Errorf("read a manifest of the agent: %w", err)
		}
		if len(object.Object) > 0 {
			manifests = append(manifests, agentObject{Text: strings.TrimSpace(text) + "\n", Object: object})
		}
	}
	return manifests, nil
}

func (a *app) printManifests(manifests []agentObject) error {
	var out bytes.Buffer
	for _, m := range manifests {
		out.WriteString("---\n" + m.Text)
	}
	_, err := a.Out.Write(out.Bytes())
	return err
}

// apply sends each object by server-side apply, in order.
func apply(ctx context.Context, config *rest.Config, manifests []agentObject) error {
	finder, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(finder))
	for _, m := range manifests {
		kind := m.Object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return fmt.Errorf("find %s: %w", kind.Kind, err)
		}
		var objects dynamic.ResourceInterface = client.Resource(mapping.Resource)
		if m.Object.GetNamespace() != "" {
			objects = client.Resource(mapping.Resource).Namespace(m.Object.GetNamespace())
		}
		options := metav1.ApplyOptions{FieldManager: "muster-cli", Force: true}
		if _, err := objects.Apply(ctx, m.Object.GetName(), m.Object, options); err != nil {
			return fmt.Errorf("apply %s %s: %w", kind.Kind, m.Object.GetName(), err)
		}
	}
	return nil
}

// imageValues splits repository[:tag]; a colon before a slash is a port.
func imageValues(image string) map[string]any {
	colon := strings.LastIndex(image, ":")
	if colon < 0 || strings.Contains(image[colon:], "/") {
		return map[string]any{"repository": image}
	}
	return map[string]any{"repository": image[:colon], "tag": image[colon+1:]}
}
