package bundle_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/muster-dev/muster/pkg/bundle"
)

// benchOptions and benchManifest are of the size of an ordinary bundle's.
const (
	benchOptions = `defaultNamespace: shop
labels: {team: shop}
targetCustomizations:
- name: production
  clusterSelector: {matchLabels: {env: production}}
  namespaceLabels: {tier: gold}
- name: staging
  clusterSelector: {matchExpressions: [{key: env, operator: In, values: [staging, test]}]}
  correctDrift: {enabled: true}
`
	benchManifest = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/shop/web:1.2.3
        ports: [{containerPort: 8080, name: http}]
        env:
        - {name: LOG_LEVEL, value: info}
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: web, key: password}}
        resources:
          requests: {cpu: 100m, memory: 64Mi}
          limits: {memory: 128Mi}
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`
)

// benchRepository has n bundles of three files each, a hundred to a team.
func benchRepository(n int) fstest.MapFS {
	tree := fstest.MapFS{}
	for i := range n {
		dir := fmt.Sprintf("teams/t%03d/b%02d/", i/100, i%100)
		tree[dir+"fleet.yaml"] = &fstest.MapFile{Data: []byte(benchOptions), Mode: 0o644}
		tree[dir+"web.yaml"] = &fstest.MapFile{Data: []byte(benchManifest + fmt.Sprintf("# %d\n", i)), Mode: 0o644}
		tree[dir+"config.yaml"] = &fstest.MapFile{Data: []byte(configMap), Mode: 0o644}
	}
	return tree
}

var benchSizes = []int{10, 1_000, 5_000, 10_000}

// BenchmarkLoadFirst reads every bundle of a repository for the first time.
func BenchmarkLoadFirst(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree := counting(benchRepository(n)).warm(b)
			b.ReportAllocs()
			for b.Loop() {
				tree.forget()
				if r := bundle.Load(tree, bundle.Repo{Name: "repo", Cache: &bundle.Cache{}}); len(r.Bundles) != n || len(r.Problems) != 0 {
					b.Fatalf("%d bundles, problems %v", len(r.Bundles), r.Problems)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/bundle")
		})
	}
}

// BenchmarkLoadOneChanged is a commit that edits one file of many bundles: all
// that Load does once the commit is there.
func BenchmarkLoadOneChanged(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			edited := benchRepository(n)
			edited["teams/t000/b07/config.yaml"] = &fstest.MapFile{Data: []byte(configMap + "data: {a: b}\n"), Mode: 0o644}
			trees := []*countingTree{counting(edited).warm(b), counting(benchRepository(n)).warm(b)}
			repo := bundle.Repo{Name: "repo", Cache: &bundle.Cache{}}
			repo.Known = known(bundle.Load(trees[1], repo))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tree := trees[i%2]
				tree.forget()
				r := bundle.Load(tree, repo)
				changed := changedBundles(r)
				if len(changed) != 1 || len(r.Bundles) != n {
					b.Fatalf("changed %v of %d", changed, len(r.Bundles))
				}
				repo.Known[changed[0]] = known(r)[changed[0]]
			}
		})
	}
}

// BenchmarkLoadAfterRestart is the first look of a manager that has just started:
// everything is live, nothing is remembered.
func BenchmarkLoadAfterRestart(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree := counting(benchRepository(n)).warm(b)
			repo := bundle.Repo{Name: "repo"}
			repo.Known = known(bundle.Load(tree, repo))
			b.ReportAllocs()
			for b.Loop() {
				tree.forget()
				repo.Cache = &bundle.Cache{}
				if r := bundle.Load(tree, repo); len(changedBundles(r)) != 0 || len(tree.opened) != 0 {
					b.Fatalf("read %d bundles again", len(tree.opened))
				}
			}
		})
	}
}
