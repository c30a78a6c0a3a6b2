package charts_test

import (
	"context"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// template renders as `helm template --include-crds` does.
func template(t *testing.T, c *chart.Chart, release, namespace string, values map[string]any) (string, []string) {
	t.Helper()
	install := action.NewInstall(&action.Configuration{})
	install.DryRun, install.ClientOnly, install.IncludeCRDs, install.Replace = true, true, true, true
	install.ReleaseName, install.Namespace = release, namespace
	install.KubeVersion = &chartutil.KubeVersion{Version: "v1.36.0", Major: "1", Minor: "36"}
	r, err := install.RunWithContext(context.Background(), c, values)
	if err != nil {
		t.Fatalf("helm template: %v", err)
	}
	var hooks []string
	for _, h := range r.Hooks {
		hooks = append(hooks, h.Manifest)
	}
	return r.Manifest, hooks
}
