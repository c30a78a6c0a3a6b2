package charts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/muster-dev/muster/internal/renderer"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

const (
	releaseName      = "shop-web"
	releaseNamespace = "shop"
)

// clusters are what charts find out; each chart is rendered for all.
func clusters() map[string]renderer.Facts {
	with := func(version string, more ...string) renderer.Facts {
		return renderer.Facts{KubeVersion: version, APIVersions: slices.Concat(chartutil.DefaultVersionSet, more)}
	}
	return map[string]renderer.Facts{
		"plain":     with("v1.36.0"),
		"monitored": with("v1.31.4+k3s1", "monitoring.coreos.com/v1", "monitoring.coreos.com/v1/ServiceMonitor", "cert-manager.io/v1", "policy/v1/PodDisruptionBudget"),
		"old":       with("v1.23.17"),
	}
}

// newPool remembers nothing, so that each render is one.
func newPool(t *testing.T) *renderer.Pool {
	t.Helper()
	pool, err := renderer.New(renderer.Options{Binary: binary, Workers: 2, Files: true, MemoBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (s specimen) inputs(t *testing.T, set string, facts renderer.Facts) renderer.Inputs {
	t.Helper()
	raw, err := json.Marshal(s.values(t, set))
	if err != nil {
		t.Fatal(err)
	}
	namespace, create := releaseNamespace, false
	return renderer.Inputs{
		Bundle: releaseName, Kind: bundle.KindHelm, Files: s.files, Facts: facts,
		Options: v1alpha1.BundleOptions{DefaultNamespace: &namespace, CreateNamespace: &create, Helm: &v1alpha1.HelmOptions{Values: &apiextensionsv1.JSON{Raw: raw}}},
	}
}

// TestChartsRenderAsHelmRendersThem compares object for object, for every chart,
// set of values and cluster.
func TestChartsRenderAsHelmRendersThem(t *testing.T) {
	pool := newPool(t)
	for _, s := range corpus(t) {
		for _, set := range slices.Sorted(maps.Keys(s.sets)) {
			for name, facts := range clusters() {
				t.Run(s.name+"/"+set+"/"+name, func(t *testing.T) {
					want, helmErr := template(t, s.fromDisk(t, t.TempDir()), s.values(t, set), facts)
					item, err := pool.Render(context.Background(), s.inputs(t, set, facts))
					refused := strings.HasPrefix(set, "refused-")
					if (helmErr != nil) != refused || (err != nil) != refused {
						t.Fatalf("helm says %v, we say %v; refused: %t", helmErr, err, refused)
					}
					if refused {
						return
					}
					compare(t, want, item)
				})
			}
		}
	}
}

func compare(t *testing.T, want rendered, item content.Item) {
	t.Helper()
	volatile := pointers(item)
	helms, ours := listed(t, want.objects, volatile), listed(t, bodies(t, item), volatile)
	slices.Sort(helms)
	slices.Sort(ours)
	if diff := cmp.Diff(helms, ours); diff != "" {
		t.Errorf("objects (-helm +ours):\n%s", diff)
	}
	if diff := cmp.Diff(want.hooks, hooksOf(item)); diff != "" {
		t.Errorf("hooks (-helm +ours):\n%s", diff)
	}
}

func bodies(t *testing.T, item content.Item) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, o := range item.Objects {
		var body map[string]any
		if err := json.Unmarshal(o.Manifest, &body); err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	return all
}

// pointers to volatile values by object.
func pointers(item content.Item) map[string][]string {
	found := map[string][]string{}
	for _, o := range item.Objects {
		_, kind, _, name := o.Key.Split()
		found[kind+"/"+name] = append(found[kind+"/"+name], o.Volatile...)
	}
	return found
}

// listed prints objects, volatile values blanked.
func listed(t *testing.T, objects []map[string]any, volatile map[string][]string) []string {
	t.Helper()
	list := make([]string, 0, len(objects))
	for _, body := range objects {
		metadata, _ := body["metadata"].(map[string]any)
		for _, pointer := range volatile[fmt.Sprintf("%v/%v", body["kind"], metadata["name"])] {
			blank(t, body, strings.Split(pointer, "/")[1:])
		}
		text, err := yaml.Marshal(bare(body))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(text))
	}
	return list
}

func blank(t *testing.T, v any, path []string) {
	t.Helper()
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	switch v := v.(type) {
	case map[string]any:
		if len(path) == 1 {
			if v[key] == nil {
				t.Errorf("nothing at volatile %s", key)
			}
			v[key] = "volatile"
			return
		}
		blank(t, v[key], path[1:])
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i >= len(v) {
			t.Fatalf("volatile item %s of %d", key, len(v))
		}
		blank(t, v[i], path[1:])
	}
}

// A chart gives the same bytes whenever it is rendered, but for what is volatile.
func TestChartsRenderTheSameEachTime(t *testing.T) {
	pool := newPool(t)
	volatile := map[string]bool{}
	for _, s := range corpus(t) {
		t.Run(s.name, func(t *testing.T) {
			in := s.inputs(t, "defaults", clusters()["plain"])
			var first content.Item
			for i := range 3 {
				item, err := pool.Render(context.Background(), in)
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = item
					continue
				}
				one, two := identity(t, first), identity(t, item)
				if one != two {
					t.Errorf("render %d has another identity", i+1)
				}
				if diff := cmp.Diff(pointers(first), pointers(item)); diff != "" {
					t.Errorf("other volatile values (-first +again):\n%s", diff)
				}
				if diff := cmp.Diff(first.Objects, item.Objects); diff != "" && !isVolatile(item) {
					t.Errorf("render %d has other bytes, and nothing volatile (-first +again):\n%s", i+1, diff)
				}
			}
			volatile[s.name] = isVolatile(first)
		})
	}
	want := map[string]bool{"operator": true, "random": true, "stateful": true}
	for name, is := range volatile {
		if is != want[name] {
			t.Errorf("%s: volatile is %t, want %t", name, is, want[name])
		}
	}
}

func identity(t *testing.T, item content.Item) content.ID {
	t.Helper()
	id, err := renderer.Identity(item)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func isVolatile(item content.Item) bool {
	return slices.ContainsFunc(item.Objects, func(o content.Object) bool { return len(o.Volatile) > 0 })
}

// What each chart asks decides how often it is rendered for a fleet.
func TestChartsAskWhatTheyNeed(t *testing.T) {
	pool := newPool(t)
	want := map[string][]string{
		"agent": nil, "documents": nil, "files": nil, "hooks": nil, "legacy": nil, "library": nil, "lookup": nil, "loops": nil, "random": nil, "schema": nil, "umbrella": nil,
		"operator": {"APIVersions.Has monitoring.coreos.com/v1/ServiceMonitor", "Chart.kubeVersion >=1.22.0-0"},
		"stateful": nil, // with one replica there is no disruption budget, and nothing to ask for it
		"versions": {"everything"},
		"ingress": {
			"APIVersions.Has autoscaling/v2", "APIVersions.Has cert-manager.io/v1", "APIVersions.Has networking.k8s.io/v1", "Chart.kubeVersion >= 1.16.0-0",
			"KubeVersion.Major", "KubeVersion.Minor", "KubeVersion.Version",
		},
	}
	for _, s := range corpus(t) {
		item, err := pool.Render(context.Background(), s.inputs(t, "defaults", clusters()["plain"]))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[s.name], slices.Sorted(maps.Keys(item.Answers))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.name, diff)
		}
	}
}
