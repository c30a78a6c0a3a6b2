package e2e_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/internal/lab/driver"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waitAtMost bounds every wait of a scenario: generous, since a wait that ends
// well ends early.
const waitAtMost = 40 * time.Second

// scenario is one story with a repository and a GitRepo of its own in the
// shared fleet.
type scenario struct {
	t      *testing.T
	ctx    context.Context
	demo   *driver.Demo
	name   string
	clone  *driver.Clone
	mark   driver.Mark
	expect *expectation
}

// begin prepares a scenario: an empty repository name.git.
func begin(t *testing.T, name string) *scenario {
	t.Helper()
	s := &scenario{t: t, ctx: t.Context(), demo: fleet(t), name: name}
	var err error
	s.clone, err = s.demo.Clone(s.ctx, name+".git", filepath.Join(t.TempDir(), name))
	s.must(err)
	return s
}

func (s *scenario) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// follow makes the scenario's GitRepo for the clusters that match labels (none
// means every cluster).
func (s *scenario) follow(labels map[string]string, paths ...string) {
	s.t.Helper()
	s.must(s.demo.Hub.Create(s.ctx, &v1alpha1.GitRepo{
		ObjectMeta: metav1.ObjectMeta{Namespace: lab.Workspace, Name: s.name},
		Spec: v1alpha1.GitRepoSpec{
			Repo: s.clone.URL, Branch: "main", Paths: paths,
			Targets: []v1alpha1.Target{{Criteria: v1alpha1.Criteria{ClusterSelector: &metav1.LabelSelector{MatchLabels: labels}}}},
		},
	}))
}

// push commits what the clone holds and returns the commit.
func (s *scenario) push(message string) string {
	s.t.Helper()
	commit, err := s.clone.CommitAndPush(s.ctx, message)
	s.must(err)
	return commit
}

// watched starts the part of the story that the audit logs are asked about:
// nothing may be under way.
func (s *scenario) watched() {
	s.t.Helper()
	settle(s.t, s.demo)
	var err error
	s.mark, err = s.demo.Mark()
	s.must(err)
	s.expect = newExpectation()
	s.expect.managerMayWrite("gitrepos.muster.dev/status/default/"+s.name, "gitrepos.muster.dev/default/"+s.name,
		"bundles.muster.dev/default/"+s.name, "bundles.muster.dev/status/default/"+s.name)
}

// audited ends that part: everybody comes to rest, and the logs hold what was
// meant and nothing else.
func (s *scenario) audited() {
	s.t.Helper()
	settle(s.t, s.demo)
	s.expect.assert(s.t, s.demo, s.mark)
}

// await polls until look returns nil, and fails with its last error and the
// state of the scenario.
func (s *scenario) await(what string, look func() error) {
	s.t.Helper()
	deadline := time.Now().Add(waitAtMost)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s for %s: %v\n%s", waitAtMost, what, err, s.state())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// awaitReady waits until the GitRepo is Ready at commit.
func (s *scenario) awaitReady(commit string) {
	s.t.Helper()
	s.await("GitRepo "+s.name+" Ready at "+commit, func() error {
		repo, err := s.repo()
		if err != nil {
			return err
		}
		ready := meta.FindStatusCondition(repo.Status.Conditions, v1alpha1.ConditionReady)
		switch {
		case repo.Status.Commit != commit:
			return fmt.Errorf("it is at commit %q", repo.Status.Commit)
		case repo.Status.ObservedGeneration != repo.Generation:
			return fmt.Errorf("its status speaks of generation %d, not %d", repo.Status.ObservedGeneration, repo.Generation)
		case ready == nil || ready.Status != metav1.ConditionTrue:
			return fmt.Errorf("Ready is %v", ready)
		case repo.Status.Summary.Ready != repo.Status.Summary.Desired:
			return fmt.Errorf("%d of %d are ready", repo.Status.Summary.Ready, repo.Status.Summary.Desired)
		}
		return nil
	})
}

// awaitReason waits until the GitRepo is not Ready for a reason.
func (s *scenario) awaitReason(reason string) metav1.Condition {
	s.t.Helper()
	var found metav1.Condition
	s.await("GitRepo "+s.name+" Ready=False "+reason, func() error {
		repo, err := s.repo()
		if err != nil {
			return err
		}
		ready := meta.FindStatusCondition(repo.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason != reason {
			return fmt.Errorf("Ready is %+v", ready)
		}
		found = *ready
		return nil
	})
	return found
}

func (s *scenario) repo() (v1alpha1.GitRepo, error) {
	var repo v1alpha1.GitRepo
	err := s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: lab.Workspace, Name: s.name}, &repo)
	return repo, err
}

// changeRepo edits the GitRepo's spec as a person would.
func (s *scenario) changeRepo(edit func(*v1alpha1.GitRepo)) {
	s.t.Helper()
	repo, err := s.repo()
	s.must(err)
	before := repo.DeepCopy()
	edit(&repo)
	s.must(s.demo.Hub.Patch(s.ctx, &repo, client.MergeFrom(before)))
}

// label sets (or with "" removes) a label of a Cluster.
func (s *scenario) label(cluster, key, value string) {
	s.t.Helper()
	var c v1alpha1.Cluster
	s.must(s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: lab.Workspace, Name: cluster}, &c))
	before := c.DeepCopy()
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	c.Labels[key] = value
	if value == "" {
		delete(c.Labels, key)
	}
	s.must(s.demo.Hub.Patch(s.ctx, &c, client.MergeFrom(before)))
}

// bundles makes directories ("." is the root) bundles that deploy into a
// namespace, which then is theirs to make; more is added to each fleet.yaml.
func (s *scenario) bundles(namespace, more string, dirs ...string) {
	s.t.Helper()
	for _, dir := range dirs {
		s.must(s.clone.Write(map[string]string{dir + "/fleet.yaml": "defaultNamespace: " + namespace + "\n" + more}))
	}
}

// settings is the text of a ConfigMap.
func settings(namespace, name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\ndata:\n  value: %q\n", name, namespace, value)
}

// get reads a ConfigMap of a cluster.
func (s *scenario) get(cluster, namespace, name string) (corev1.ConfigMap, error) {
	var c corev1.ConfigMap
	err := s.demo.Cluster(cluster).Get(s.ctx, client.ObjectKey{Namespace: namespace, Name: name}, &c)
	return c, err
}

// awaitValue waits until a ConfigMap of a cluster has a value.
func (s *scenario) awaitValue(cluster, namespace, name, value string) {
	s.t.Helper()
	s.await(fmt.Sprintf("%s/%s on %s to be %q", namespace, name, cluster, value), func() error {
		c, err := s.get(cluster, namespace, name)
		if err == nil && c.Data["value"] != value {
			err = fmt.Errorf("it is %q", c.Data["value"])
		}
		return err
	})
}

// awaitGone waits until a ConfigMap of a cluster does not exist.
func (s *scenario) awaitGone(cluster, namespace, name string) {
	s.t.Helper()
	s.await(fmt.Sprintf("%s/%s on %s to be gone", namespace, name, cluster), func() error {
		_, err := s.get(cluster, namespace, name)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there (%v)", err)
	})
}

// configMap is the audit key of a ConfigMap.
func configMap(namespace, name string) string { return "configmaps/" + namespace + "/" + name }

// clusterNames are the clusters of the fleet.
func (s *scenario) clusterNames() []string { return s.demo.Servers()[1:] }

// pids are the fleet's process ids now.
func (s *scenario) pids() lab.PIDs {
	s.t.Helper()
	contract, err := s.demo.Contract()
	s.must(err)
	return contract.PIDs
}

// state describes the fleet when something did not come true.
func (s *scenario) state() string {
	var b strings.Builder
	if repo, err := s.repo(); err == nil {
		fmt.Fprintf(&b, "GitRepo %s: commit %s, summary %+v\n", repo.Name, repo.Status.Commit, repo.Status.Summary)
		describe(&b, repo.Status.Conditions)
		for _, p := range repo.Status.Problems {
			fmt.Fprintf(&b, "  problem %+v\n", p)
		}
	}
	var bundles v1alpha1.BundleList
	if err := s.demo.Hub.List(s.ctx, &bundles, client.MatchingLabels{v1alpha1.LabelGitRepo: s.name}); err == nil {
		for _, one := range bundles.Items {
			fmt.Fprintf(&b, "Bundle %s %s\n", one.Name, one.UID)
			describe(&b, one.Status.Conditions)
		}
	}
	var assignments v1alpha1.AssignmentList
	if err := s.demo.Hub.List(s.ctx, &assignments); err == nil {
		for _, one := range assignments.Items {
			fmt.Fprintf(&b, "Assignment %s revision %d, %d bundles, %d removals\n", one.Name, one.Spec.Revision, one.Spec.Bundles, one.Spec.Removals)
		}
	}
	var reports v1alpha1.ClusterReportList
	if err := s.demo.Hub.List(s.ctx, &reports); err == nil {
		for _, one := range reports.Items {
			fmt.Fprintf(&b, "ClusterReport %s revision %d, not ready %+v, messages %v\n", one.Name, one.Spec.Revision, one.Spec.Bundles, one.Spec.Messages)
		}
	}
	for _, log := range []string{"manager", "agent-eu-1"} {
		fmt.Fprintf(&b, "%s's log ends with:\n%s\n", log, s.demo.LogTail(log))
	}
	return b.String()
}

func describe(b *strings.Builder, conditions []metav1.Condition) {
	for _, c := range conditions {
		fmt.Fprintf(b, "  %s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
}
