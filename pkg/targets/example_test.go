package targets_test

import (
	"fmt"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func ExampleCompile() {
	prod := v1alpha1.Criteria{Name: "prod", ClusterSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}}
	c, err := targets.Compile(targets.Input{
		Workspace: "team", Name: "web", Spec: v1alpha1.BundleSpec{Targets: []v1alpha1.Target{{Criteria: prod}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	groups := targets.NewGroups(nil)
	for _, env := range []string{"prod", "canary"} {
		m := c.Explain(targets.Cluster{Workspace: "team", Name: env, Labels: map[string]string{"env": env}}, groups)
		fmt.Printf("%s: %t %s\n", m.Cluster, m.Matched, m.Target+m.Reason)
	}
	// Output:
	// prod: true prod
	// canary: false no target matches the cluster: env=prod: cluster has env=canary
}
