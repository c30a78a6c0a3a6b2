package charts_test

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/content"
)

// template renders as `helm template --include-crds` does, hooks apart.
func template(t *testing.T, c *chart.Chart, values map[string]any, facts renderer.Facts) (made rendered, err error) {
	t.Helper()
	install := action.NewInstall(&action.Configuration{})
	install.DryRun, install.ClientOnly, install.IncludeCRDs, install.Replace = true, true, true, true
	install.ReleaseName, install.Namespace = releaseName, releaseNamespace
	install.KubeVersion = kubeVersion(t, facts)
	install.APIVersions = facts.APIVersions[len(chartutil.DefaultVersionSet):] // Helm adds its own
	r, err := install.RunWithContext(t.Context(), c, values)
	if err != nil {
		return made, err
	}
	made.objects = documents(t, r.Manifest)
	for _, h := range r.Hooks {
		if hook := described(h); len(hook.Events) > 0 {
			made.objects = append(made.objects, documents(t, h.Manifest+"\n")...)
			made.hooks = append(made.hooks, hook)
		}
	}
	slices.SortFunc(made.hooks, byName)
	return made, nil
}

// rendered is what both sides give.
type rendered struct {
	objects []map[string]any
	hooks   []hook
}

// hook is one without its object.
type hook struct {
	Kind, Name     string
	Events         []string
	Weight         int
	DeletePolicies []string
}

func byName(a, b hook) int { return strings.Compare(a.Kind+"/"+a.Name, b.Kind+"/"+b.Name) }

// described is a hook of Helm's; tests are run on request, so nobody installs them.
func described(h *release.Hook) hook {
	d := hook{Kind: h.Kind, Name: h.Name, Weight: h.Weight}
	for _, e := range h.Events {
		if e != release.HookTest {
			d.Events = append(d.Events, e.String())
		}
	}
	for _, p := range h.DeletePolicies {
		d.DeletePolicies = append(d.DeletePolicies, p.String())
	}
	slices.Sort(d.Events)
	return d
}

// hooksOf are the hooks of ours.
func hooksOf(item content.Item) []hook {
	var hooks []hook
	for _, o := range item.Objects {
		if o.Hook != nil {
			_, kind, _, name := o.Key.Split()
			hooks = append(hooks, hook{Kind: kind, Name: name, Events: o.Hook.Events, Weight: o.Hook.Weight, DeletePolicies: o.Hook.DeletePolicies})
		}
	}
	slices.SortFunc(hooks, byName)
	return hooks
}

// kubeVersion says what a server says; ParseKubeVersion is for --kube-version, and loses what follows the numbers.
func kubeVersion(t *testing.T, facts renderer.Facts) *chartutil.KubeVersion {
	t.Helper()
	v, err := chartutil.ParseKubeVersion(facts.KubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	v.Version = facts.KubeVersion
	return v
}

// documents reads what Helm would send as its client does, lists laid open.
func documents(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]any
		if err := yaml.Unmarshal(part, &body); err != nil {
			t.Fatalf("%v in:\n%s", err, part)
		}
		items, isList := body["items"].([]any)
		switch {
		case len(body) == 0:
		case isList || body["kind"] == "List":
			for _, item := range items {
				all = append(all, item.(map[string]any))
			}
		default:
			all = append(all, body)
		}
	}
}

// bare is an object without what Muster adds or drops: the release namespace,
// Helm's marks of ownership, and what only a server writes.
func bare(body map[string]any) map[string]any {
	metadata, ok := body["metadata"].(map[string]any)
	if !ok {
		return body
	}
	if metadata["namespace"] == releaseNamespace {
		delete(metadata, "namespace")
	}
	drop(metadata, "labels", func(key string) bool { return key == "app.kubernetes.io/managed-by" })
	drop(metadata, "annotations", func(key string) bool { return strings.HasPrefix(key, "meta.helm.sh/") })
	delete(body, "status")
	return body
}

func drop(metadata map[string]any, field string, unwanted func(string) bool) {
	m, ok := metadata[field].(map[string]any)
	if !ok {
		if metadata[field] == nil {
			delete(metadata, field)
		}
		return
	}
	for key := range m {
		if unwanted(key) {
			delete(m, key)
		}
	}
	if len(m) == 0 {
		delete(metadata, field)
	}
}
