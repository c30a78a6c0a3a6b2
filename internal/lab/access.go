package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/muster-dev/muster/charts"
	"github.com/muster-dev/muster/internal/lab/plane"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// tokenSeconds is how long a component's service account token is good for.
const tokenSeconds = 7 * 24 * 3600

// accessKinds are what a chart holds besides the workload itself: who it is
// and what it may do.
func accessKinds() []string {
	return []string{"ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"}
}

// access is a component's identity as its chart makes it, so that a lab runs
// under the rights users give and a missing one shows here first.
type access struct {
	chart, namespace, account string
	values                    map[string]any
}

// grant makes the chart's account and roles on a server and writes a kubeconfig
// with a token of that account.
func (a access) grant(ctx context.Context, server *plane.Server, kubeconfig string) error {
	c, err := newClient(server.Config())
	if err != nil {
		return err
	}
	objects, err := a.render()
	if err != nil {
		return fmt.Errorf("render chart %s: %w", a.chart, err)
	}
	for _, object := range objects {
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("make %s %s of chart %s on %s: %w", object.GetKind(), object.GetName(), a.chart, server.Name, err)
		}
	}
	seconds := int64(tokenSeconds)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.account}}
	if err := c.SubResource("token").Create(ctx, account, request); err != nil {
		return fmt.Errorf("get a token of %s/%s on %s: %w", a.namespace, a.account, server.Name, err)
	}
	return server.WriteTokenKubeconfig(kubeconfig, a.account, request.Status.Token)
}

// render returns the chart's objects of the access kinds, accounts first.
func (a access) render() ([]*unstructured.Unstructured, error) {
	files, err := chartFiles(a.chart)
	if err != nil {
		return nil, err
	}
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: a.chart, Namespace: a.namespace, IsInstall: true, Revision: 1}
	values, err := chartutil.ToRenderValues(chart, a.values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(chart, values)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for name, text := range rendered {
		if path.Ext(name) != ".yaml" {
			continue
		}
		more, err := accessObjects(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, more...)
	}
	kinds := accessKinds()
	slices.SortFunc(objects, func(x, y *unstructured.Unstructured) int {
		return slices.Index(kinds, x.GetKind()) - slices.Index(kinds, y.GetKind())
	})
	return objects, nil
}

func chartFiles(chart string) ([]*loader.BufferedFile, error) {
	var files []*loader.BufferedFile
	err := fs.WalkDir(charts.Files, chart, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(charts.Files, name)
		files = append(files, &loader.BufferedFile{Name: strings.TrimPrefix(name, chart+"/"), Data: data})
		return err
	})
	return files, err
}

func accessObjects(text string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if slices.Contains(accessKinds(), object.GetKind()) {
			objects = append(objects, object)
		}
	}
}
