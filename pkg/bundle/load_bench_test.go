package bundle_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/muster-dev/muster/pkg/bundle"
)

// BenchmarkLoadOneChanged is a commit that touches one bundle of many.
func BenchmarkLoadOneChanged(b *testing.B) {
	for _, n := range []int{10, 1_000, 5_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree := fstest.MapFS{}
			for i := range n {
				dir := fmt.Sprintf("teams/t%02d/b%02d/", i/100, i%100)
				tree[dir+"fleet.yaml"] = &fstest.MapFile{Data: []byte("{}\n"), Mode: 0o644}
				tree[dir+"cm.yaml"] = &fstest.MapFile{Data: []byte(configMap), Mode: 0o644}
			}
			c := counting(tree)
			hashes := map[string]string{}
			repo := bundle.Repo{Name: "repo", Cache: &bundle.Cache{}}
			t := bundle.NewTree(c, func(name string) (string, error) {
				h, ok := hashes[name]
				if ok {
					return h, nil
				}
				h, err := c.TreeHash(name)
				hashes[name] = h
				return h, err
			})
			repo.Known = known(bundle.Load(t, repo))
			delete(repo.Known, bundle.Name("repo", "teams/t00/b00", ""))
			for b.Loop() {
				if got := changedBundles(bundle.Load(t, repo)); len(got) != 1 {
					b.Fatalf("changed %v", got)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/bundle")
		})
	}
}
