package e2e_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// neighbours are kinds of Fleet and of Cluster API with plurals that are ours too.
func neighbours() map[string][]string {
	return map[string][]string{
		"fleet.cattle.io":  {"GitRepo", "Bundle", "Cluster", "ClusterGroup"},
		"cluster.x-k8s.io": {"Cluster"},
	}
}

// installNeighbours puts them on the hub before any scenario runs, so that all
// of them happen beside Fleet and Cluster API.
func installNeighbours(ctx context.Context, d *driver.Demo) error {
	client, err := apiextensions.NewForConfig(d.Config(lab.HubName))
	if err != nil {
		return err
	}
	for group, kinds := range neighbours() {
		for _, kind := range kinds {
			if _, err := client.CustomResourceDefinitions().Create(ctx, lookAlike(group, kind), metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("install %s of %s: %w", kind, group, err)
			}
		}
	}
	return nil
}

func lookAlike(group, kind string) *apiextensionsv1.CustomResourceDefinition {
	plural := map[string]string{"GitRepo": "gitrepos", "Bundle": "bundles", "Cluster": "clusters", "ClusterGroup": "clustergroups"}[kind]
	keep := true
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + group, Annotations: map[string]string{"api-approved.kubernetes.io": "unapproved, a test"}},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Kind: kind, ListKind: kind + "List"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &keep}},
			}},
		},
	}
}

// Beside Fleet's and Cluster API's kinds of the same names ours keep theirs,
// and the manager does not so much as look at the neighbours'.
func TestNeighboursAreLeftAlone(t *testing.T) {
	s := &scenario{t: t, ctx: t.Context(), demo: fleet(t), name: lab.GitRepoName}
	crds, err := apiextensions.NewForConfig(s.demo.Config(lab.HubName))
	s.must(err)
	list, err := crds.CustomResourceDefinitions().List(s.ctx, metav1.ListOptions{})
	s.must(err)
	accepted := map[string]bool{}
	for _, crd := range list.Items {
		for _, c := range crd.Status.Conditions {
			if c.Type == apiextensionsv1.NamesAccepted && c.Status == apiextensionsv1.ConditionTrue {
				accepted[crd.Name] = true
			}
		}
	}
	for _, name := range []string{"clusters.muster.dev", "gitrepos.muster.dev", "clusters.fleet.cattle.io", "gitrepos.fleet.cattle.io", "clusters.cluster.x-k8s.io"} {
		if !accepted[name] {
			t.Errorf("the names of CRD %s are not accepted", name)
		}
	}
	seen, err := s.demo.Audit(nil)
	s.must(err)
	for _, event := range seen[lab.HubName] {
		if event.User.Username == managerUser && event.ObjectRef != nil && neighbours()[event.ObjectRef.APIGroup] != nil {
			t.Errorf("the manager asked for a neighbour's %s %s", event.Verb, event.Key())
		}
	}
}
