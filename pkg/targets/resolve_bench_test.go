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

// BenchmarkLabelChanged moves one label of one cluster among many bundles: the
// index names those it may touch, and they decide anew. Budget: 10 ms.
func BenchmarkLabelChanged(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		ix, bundles := targets.NewIndex(), map[string]*targets.Compiled{}
		for i, spec := range benchSpecs(n) {
			id := fmt.Sprint(i)
			bundles[id] = compile(b, spec)
			ix.Set(id, bundles[id])
		}
		groups, before := targets.NewGroups(benchGroups()), benchFleet(10)[3]
		after := before
		after.Labels = map[string]string{"env": "prod", "region": "r7", "tier": "gold", "zone": "z3"}
		b.Run(fmt.Sprintf("%dbundles", n), func(b *testing.B) {
			b.ReportAllocs()
			var named []string
			for b.Loop() {
				named = ix.ClusterChanged(before, after, groups)
				for _, id := range named {
					bundles[id].Resolve(after, groups)
				}
			}
			b.ReportMetric(float64(len(named)), "touched")
		})
	}
}

// BenchmarkGuests asks bundles of one workspace about a fleet of others: a
// mapping has to be as cheap as it is rare.
func BenchmarkGuests(b *testing.B) {
	clusters := benchFleet(10_000)
	for i := range clusters {
		clusters[i].Workspace = fmt.Sprint("w", i%50)
		clusters[i].WorkspaceLabels = map[string]string{v1alpha1.LabelWorkspace: "true", "site": fmt.Sprint("s", i%5)}
	}
	for name, mappings := range map[string][]targets.Mapping{"unmapped": nil, "mapped": {{Name: "m", BundleSelector: labels(), NamespaceSelector: labels("site", "s1")}}} {
		c := compileInput(b, targets.Input{Workspace: "team", Spec: benchSpecs(2)[1], Mappings: mappings})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, cl := range clusters {
					if c.Reaches(cl.Workspace, cl.WorkspaceLabels) {
						c.Resolve(cl, nil)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(clusters)), "ns/cluster")
		})
	}
}
