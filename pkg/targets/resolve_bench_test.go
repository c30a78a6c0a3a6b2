package targets_test

import (
	"fmt"
	"testing"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
)

func benchFleet(n int) []targets.Cluster {
	clusters := make([]targets.Cluster, n)
	for i := range clusters {
		clusters[i] = targets.Cluster{Workspace: "team", Name: fmt.Sprintf("c-%05d", i), Labels: map[string]string{
			"env": []string{"prod", "canary", "dev"}[i%3], "region": fmt.Sprint("r", i%20), "tier": "gold", "zone": fmt.Sprint("z", i%7)}}
	}
	return clusters
}

// BenchmarkResolve asks one bundle about whole fleets; compare ns/cluster.
func BenchmarkResolve(b *testing.B) {
	specs := map[string]v1alpha1.BundleSpec{
		"plain": {Targets: to(v1alpha1.Criteria{ClusterSelector: labels("env", "prod")}),
			TargetCustomizations: []v1alpha1.Customization{replicas(2, v1alpha1.Criteria{ClusterSelector: labels("region", "r1")}), replicas(3, inGroup("gold"))}},
		"labels": {Targets: to(v1alpha1.Criteria{ClusterSelector: labels()}), BundleOptions: values(`{"region":"global.fleet.clusterLabels.region"}`)},
	}
	groups := targets.NewGroups([]targets.Group{group("gold", labels("tier", "gold"))})
	for name, spec := range specs {
		c := compile(b, spec)
		for _, n := range []int{10, 1_000, 10_000} {
			clusters := benchFleet(n)
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for _, cl := range clusters {
						c.Resolve(cl, groups)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/cluster")
			})
		}
	}
}

// BenchmarkClusterChanged moves one label with 10,000 bundles in the index.
func BenchmarkClusterChanged(b *testing.B) {
	ix := targets.NewIndex()
	for i := range 10_000 {
		ix.Set(fmt.Sprint(i), compile(b, v1alpha1.BundleSpec{Targets: to(v1alpha1.Criteria{ClusterSelector: labels(fmt.Sprint("k", i%1000), "x")})}))
	}
	before := targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{"k1": "y"}}
	after := targets.Cluster{Workspace: "team", Name: "c", Labels: map[string]string{"k1": "x"}}
	for b.Loop() {
		if got := len(ix.ClusterChanged(before, after, nil)); got != 10 {
			b.Fatalf("named %d bundles, want 10", got)
		}
	}
}
