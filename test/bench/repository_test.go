package bench_test

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// objectsPerBundle is the number of ConfigMaps in each bundle.
const objectsPerBundle = 10

// webhookSecret is the lab's own: with it a push reaches the manager by a signed webhook.
const webhookSecret = "fleet-webhook"

// repository is a Git repository of the fleet, its GitRepo, and what its
// objects shall hold.
type repository struct {
	bench   *bench
	name    string
	clone   *driver.Clone
	options string            // every bundle's fleet.yaml
	bundles int               // b-0, b-1, ...
	values  map[string]string // namespace/name of each object -> value
}

// repository makes an empty repository whose bundles will have options and all
// live in the namespace that the first of them makes.
func (b *bench) repository(name string, bundles int, options string) *repository {
	b.t.Helper()
	clone, err := b.demo.Clone(b.ctx, name+".git", filepath.Join(b.t.TempDir(), name))
	b.must(err)
	options += "defaultNamespace: bench-" + name + "\n"
	return &repository{bench: b, name: name, clone: clone, options: options, bundles: bundles, values: map[string]string{}}
}

// namespace of all objects of the repository.
func (r *repository) namespace() string { return "bench-" + r.name }

// fill writes every bundle whole.
func (r *repository) fill(value string) {
	files := map[string]string{}
	for bundle := range r.bundles {
		files[fmt.Sprintf("b-%d/fleet.yaml", bundle)] = r.options
		for object := range objectsPerBundle {
			files[r.file(bundle, object)] = r.manifest(bundle, object, value)
		}
	}
	r.bench.must(r.clone.Write(files))
}

// edit changes one line of one object.
func (r *repository) edit(bundle, object int, value string) {
	r.bench.must(r.clone.Write(map[string]string{r.file(bundle, object): r.manifest(bundle, object, value)}))
}

func (r *repository) file(bundle, object int) string {
	return fmt.Sprintf("b-%d/%d.yaml", bundle, object)
}

func (r *repository) manifest(bundle, object int, value string) string {
	name := fmt.Sprintf("b-%d-%d", bundle, object)
	r.values[r.namespace()+"/"+name] = value
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\ndata:\n  value: %q\n  other: stays\n", name, r.namespace(), value)
}

// follow makes the GitRepo, for every cluster.
func (r *repository) follow() {
	r.bench.must(r.bench.demo.Hub.Create(r.bench.ctx, &v1alpha1.GitRepo{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.Workspace, Name: r.name},
		Spec: v1alpha1.GitRepoSpec{
			Repo: r.clone.URL, Branch: "main", WebhookSecret: webhookSecret,
			Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterSelector: &metav1.LabelSelector{}}}},
		},
	}))
}

// times of one push, from its begin.
type times struct {
	push, applied, status time.Duration
}

// push commits and pushes what was written, and waits until every object is as
// it shall be and the hub says so.
func (r *repository) push(message string) times {
	b := r.bench
	b.t.Helper()
	commit, err := r.clone.Commit(b.ctx, message)
	b.must(err)
	began, err := r.clone.Push(b.ctx)
	b.must(err)
	pushed := time.Now()
	applied := b.seen.awaitObjects(b, r.values)
	status := b.seen.awaitReady(b, r, commit)
	if status.Add(statusTolerance).Before(applied) {
		b.t.Errorf("%s: the hub said Ready %s before the last object was there", message, applied.Sub(status))
	}
	return times{push: pushed.Sub(began), applied: applied.Sub(began), status: status.Sub(began)}
}

// statusTolerance is what two watches of two servers may differ by.
const statusTolerance = 250 * time.Millisecond

// begin makes the repository live as it was written, and waits for rest.
// Empty, it begins with one bundle of one object, so that what is measured
// afterwards is one push.
func (r *repository) begin() {
	b := r.bench
	b.t.Helper()
	if len(r.values) == 0 {
		b.must(r.clone.Write(map[string]string{"seed/fleet.yaml": r.options, "seed/0.yaml": r.seed()}))
	}
	commit, err := r.clone.CommitAndPush(b.ctx, "Begin")
	b.must(err)
	r.follow()
	b.seen.awaitReady(b, r, commit)
	b.seen.awaitObjects(b, r.values)
	b.settle()
}

// seed is the one object of the bundle that makes the first commit.
func (r *repository) seed() string {
	r.values[r.namespace()+"/seed"] = "1"
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: seed\n  namespace: %s\ndata:\n  value: \"1\"\n", r.namespace())
}
