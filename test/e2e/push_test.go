package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"
)

// uids are the uids of ConfigMaps on a cluster.
func (s *scenario) uids(cluster, namespace string, names ...string) map[string]types.UID {
	s.t.Helper()
	all := map[string]types.UID{}
	for _, name := range names {
		c, err := s.get(cluster, namespace, name)
		s.must(err)
		all[name] = c.UID
	}
	return all
}

// A pushed edit of one line writes one object on each cluster that has it.
func TestAPushedEdit(t *testing.T) {
	s := begin(t, "edit")
	s.bundles("e2e-edit", "", ".")
	s.must(s.clone.Write(map[string]string{
		"one.yaml": settings("e2e-edit", "one", "1"), "two.yaml": settings("e2e-edit", "two", "1"),
	}))
	commit := s.push("Start")
	s.follow(map[string]string{"env": "prod"})
	s.awaitReady(commit)

	s.watched()
	s.expect.writesOnce("eu-1", configMap("e2e-edit", "one"))
	s.expect.writesOnce("us-1", configMap("e2e-edit", "one"))
	s.must(s.clone.Replace("one.yaml", `"1"`, `"2"`))
	commit = s.push("Edit one line")
	s.awaitValue("eu-1", "e2e-edit", "one", "2")
	s.awaitValue("us-1", "e2e-edit", "one", "2")
	s.awaitReady(commit)
	s.audited()
	s.awaitGone("canary-1", "e2e-edit", "one")

	s.watched()
	s.must(s.clone.Write(map[string]string{"README.md": "Nothing that is deployed.\n"}))
	s.awaitReady(s.push("Change no bundle"))
	s.audited()
}

// A file that is removed takes its object along and nothing else.
func TestAFileRemoved(t *testing.T) {
	s := begin(t, "prune")
	s.bundles("e2e-prune", "", ".")
	files := map[string]string{}
	for i := range 4 {
		files[fmt.Sprintf("%d.yaml", i)] = settings("e2e-prune", fmt.Sprintf("o-%d", i), "1")
	}
	s.must(s.clone.Write(files))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.deletesOnce(cluster, configMap("e2e-prune", "o-2"))
	}
	s.must(s.clone.Remove("2.yaml"))
	commit = s.push("Remove a file")
	for _, cluster := range s.clusterNames() {
		s.awaitGone(cluster, "e2e-prune", "o-2")
	}
	s.awaitReady(commit)
	s.audited()
}

// A renamed directory is another bundle with the same objects: they change
// hands and keep their uids.
func TestADirectoryRenamed(t *testing.T) {
	s := begin(t, "rename")
	s.must(s.clone.Write(map[string]string{
		"before/one.yaml": settings("e2e-rename", "one", "1"), "before/two.yaml": settings("e2e-rename", "two", "1"),
		"stays/three.yaml": settings("e2e-rename", "three", "1"),
	}))
	s.bundles("e2e-rename", "", "before", "stays")
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)
	before := s.uids("eu-1", "e2e-rename", "one", "two", "three")

	s.watched()
	for _, cluster := range s.clusterNames() {
		// Its owner is written on the object, so a new one is a write.
		s.expect.mayWrite(cluster, configMap("e2e-rename", "one"), configMap("e2e-rename", "two"), "namespaces//e2e-rename")
	}
	s.must(s.clone.Move("before", "after"))
	commit = s.push("Rename a directory")
	s.awaitReady(commit)
	s.await("the old bundle to be forgotten", func() error {
		var old v1alpha1.BundleList
		if err := s.demo.Hub.List(s.ctx, &old); err != nil {
			return err
		}
		for _, b := range old.Items {
			if b.Name == "rename-before" {
				return fmt.Errorf("Bundle %s is still there", b.Name)
			}
		}
		return nil
	})
	s.audited()
	after := s.uids("eu-1", "e2e-rename", "one", "two", "three")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("uids before and after the rename (-before +after):\n%s", diff)
	}

	// The new owner is the one who prunes now.
	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.deletesOnce(cluster, configMap("e2e-rename", "two"))
	}
	s.must(s.clone.Remove("after/two.yaml"))
	commit = s.push("Remove a file of the renamed bundle")
	s.awaitGone("us-1", "e2e-rename", "two")
	s.awaitReady(commit)
	s.audited()
}

// A mistyped path deletes nothing, and the GitRepo says so.
func TestAMistypedPath(t *testing.T) {
	s := begin(t, "typo")
	s.bundles("e2e-typo", "", "apps")
	s.must(s.clone.Write(map[string]string{"apps/one.yaml": settings("e2e-typo", "one", "1"), "apps/two.yaml": settings("e2e-typo", "two", "1")}))
	commit := s.push("Start")
	s.follow(nil, "apps")
	s.awaitReady(commit)

	s.watched()
	s.changeRepo(func(r *v1alpha1.GitRepo) { r.Spec.Paths = []string{"aps"} })
	condition := s.awaitReason(v1alpha1.ReasonPathNotFound)
	if condition.Message == "" {
		t.Error("the condition has no message")
	}
	settle(t, s.demo)
	s.uids("eu-1", "e2e-typo", "one", "two")
	s.changeRepo(func(r *v1alpha1.GitRepo) { r.Spec.Paths = []string{"apps"} })
	s.awaitReady(commit)
	s.audited()
}

// A label moves from one cluster to another: the bundle leaves the one and
// enters the other, and nobody else notices.
func TestALabelMoves(t *testing.T) {
	s := begin(t, "labels")
	s.bundles("e2e-labels", "", ".")
	const key = "e2e-zone"
	objects := map[string]string{"one": configMap("e2e-labels", "one"), "two": configMap("e2e-labels", "two")}
	s.must(s.clone.Write(map[string]string{"one.yaml": settings("e2e-labels", "one", "1"), "two.yaml": settings("e2e-labels", "two", "1")}))
	s.label("canary-1", key, "here")
	commit := s.push("Start")
	s.follow(map[string]string{key: "here"})
	s.awaitReady(commit)
	s.awaitValue("canary-1", "e2e-labels", "one", "1")

	s.watched()
	keys := slices.Collect(maps.Values(objects))
	s.expect.writesOnce("us-1", keys...)
	s.expect.mayWrite("us-1", "namespaces//e2e-labels")
	s.expect.deletesOnce("canary-1", keys...)
	s.label("us-1", key, "here")
	s.label("canary-1", key, "")
	for name := range objects {
		s.awaitValue("us-1", "e2e-labels", name, "1")
		s.awaitGone("canary-1", "e2e-labels", name)
	}
	s.awaitReady(commit)
	s.audited()
	s.label("us-1", key, "")
	s.awaitGone("us-1", "e2e-labels", "one")
}
