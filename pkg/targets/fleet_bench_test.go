package targets_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/targets"
)

// benchSpecs are n bundles as fleets have them: by label, by group, by several
// criteria, with customizations, with labels in values, every tenth with templates.
func benchSpecs(n int) []v1alpha1.BundleSpec {
	specs := make([]v1alpha1.BundleSpec, n)
	for i := range specs {
		region := v1alpha1.Criteria{ClusterSelector: labels("region", fmt.Sprint("r", i%20))}
		s := v1alpha1.BundleSpec{BundleOptions: values(fmt.Sprintf(`{"replicas":%d,"image":{"tag":"v%d"}}`, i%5, i))}
		switch i % 10 {
		case 0:
			s.BundleOptions = values(`{"host":"${ .ClusterName }.${ .ClusterLabels.region }.example"}`)
			s.Targets = to(v1alpha1.Criteria{ClusterSelector: labels("env", "prod")})
		case 1, 2:
			s.BundleOptions = values(`{"region":"global.fleet.clusterLabels.region","zone":["global.fleet.clusterLabels.zone"]}`)
			s.Targets = to(v1alpha1.Criteria{ClusterSelector: labels()})
		case 3, 4:
			s.Targets = to(inGroup("canaries"), inGroup("gold"))
		case 5:
			s.Targets = to(v1alpha1.Criteria{ClusterSelector: labels("env", "prod")}, v1alpha1.Criteria{ClusterGroupSelector: labels("kind", "zone")})
			s.TargetCustomizationMode = v1alpha1.AllMatches
		default:
			s.Targets = to(region)
		}
		s.TargetCustomizations = []v1alpha1.Customization{replicas(7, region), replicas(8, inGroup("canaries")), deny(v1alpha1.Criteria{ClusterName: fmt.Sprintf("c-%05d", i)})}
		specs[i] = s
	}
	return specs
}

func benchGroups() []targets.Group {
	groups := []targets.Group{group("gold", labels("tier", "gold")), group("canaries", labels("env", "canary"))}
	for i := range 7 {
		g := group(fmt.Sprint("zone-", i), labels("zone", fmt.Sprint("z", i)))
		g.Labels = map[string]string{"kind": "zone"}
		groups = append(groups, g)
	}
	return groups
}

// matchEverything compiles every bundle and asks it about every cluster, as a
// manager does that starts, keeping of each match what tells whether anything changed.
func matchEverything(b *testing.B, specs []v1alpha1.BundleSpec, clusters []targets.Cluster, gs []targets.Group) (kept [][]string, matched int) {
	groups := targets.NewGroups(gs)
	kept = make([][]string, len(specs))
	for i, spec := range specs {
		c := compile(b, spec)
		for _, cl := range clusters {
			m := c.Resolve(cl, groups)
			if m.Err != nil {
				b.Fatal(m.Err)
			}
			if m.Matched {
				kept[i] = append(kept[i], m.OptionsDigest)
				matched++
			}
		}
	}
	return kept, matched
}

// BenchmarkFleet matches 1,000 bundles with whole fleets from nothing. Budget:
// 10,000 clusters in 5 s and 1 GiB.
func BenchmarkFleet(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		specs, clusters, groups := benchSpecs(1_000), benchFleet(n), benchGroups()
		b.Run(fmt.Sprintf("1000x%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var kept [][]string
			var matched int
			before := live()
			for b.Loop() {
				kept, matched = matchEverything(b, specs, clusters, groups)
			}
			b.ReportMetric(float64(live()-before), "B-live")
			b.ReportMetric(float64(matched), "matches")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n)/1_000, "ns/pair")
			runtime.KeepAlive(kept)
		})
	}
}

// live is the heap in use after a collection.
func live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
