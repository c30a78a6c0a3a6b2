package api_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab/plane"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
)

func TestColumnsAndShortNamesAreWhatKubectlShows(t *testing.T) {
	config := plane.HubForTest(t)
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for resource, want := range map[string]struct {
		short   string
		columns []string
	}{
		"gitrepos":                {"mgr", []string{"Name", "Repo", "Commit", "Bundles", "Deployed", "Ready", "Reason", "Age", "Message"}},
		"bundles":                 {"mb", []string{"Name", "Path", "Gen", "Clusters", "Ready", "Reason", "Age", "Message"}},
		"clusters":                {"mc", []string{"Name", "Bundles", "Connected", "Last-Seen", "Version", "Ready", "Reason", "Age"}},
		"clustergroups":           {"mcg", []string{"Name", "Clusters", "Age"}},
		"assignments":             {"ma", []string{"Name", "Epoch", "Revision", "Bundles", "Removals", "Age"}},
		"clusterreports":          {"mcr", []string{"Name", "Revision", "Ready", "Not-Ready", "Age"}},
		"rollouts":                {"mro", []string{"Name", "Gen", "Clusters", "Held", "Age"}},
		"jointokens":              {"mjt", []string{"Name", "Cluster", "Uses", "Max-Uses", "Expires", "Age"}},
		"policies":                {"mpol", []string{"Name", "Namespaces", "Namespace-Selector", "Age"}},
		"bundlenamespacemappings": {"mbnm", []string{"Name", "Bundles", "Workspaces", "Age"}},
	} {
		t.Run(resource, func(t *testing.T) {
			if diff := cmp.Diff(want.columns, columns(t, clients, resource)); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if got := shortNames(t, clients, resource); !slices.Equal(got, []string{want.short}) {
				t.Errorf("short names: got %q, want %q", got, want.short)
			}
		})
	}
}

// columns asks for a table, as kubectl does.
func columns(t *testing.T, clients *kubernetes.Clientset, resource string) []string {
	t.Helper()
	body, err := clients.RESTClient().Get().AbsPath("/apis/muster.dev/v1alpha1/namespaces/default", resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(body, &table); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, column := range table.ColumnDefinitions {
		names = append(names, column.Name)
	}
	return names
}

func shortNames(t *testing.T, clients discovery.DiscoveryInterface, resource string) []string {
	t.Helper()
	list, err := clients.ServerResourcesForGroupVersion("muster.dev/v1alpha1")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list.APIResources {
		if r.Name == resource {
			return r.ShortNames
		}
	}
	t.Fatalf("resource %s is not served", resource)
	return nil
}
