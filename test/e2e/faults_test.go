package e2e_test

import (
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/muster-dev/muster/internal/lab"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// An agent that is killed in the middle of an apply, three times, ends up with
// every object once and knows all of them.
func TestAgentKilledInTheMiddleOfAnApply(t *testing.T) {
	s := begin(t, "killed")
	s.bundles("e2e-killed", "", ".")
	const objects = 300
	write := func(value string) string {
		files := map[string]string{}
		for i := range objects {
			files[fmt.Sprintf("%03d.yaml", i)] = settings("e2e-killed", fmt.Sprintf("o-%03d", i), value)
		}
		s.must(s.clone.Write(files))
		return s.push("Write " + value)
	}
	s.watched()
	s.expect.managerMayWrite("gitrepos.muster.dev")
	s.expect.mayWrite("eu-1", "namespaces//e2e-killed")
	for i := range objects {
		s.expect.mayWrite("eu-1", configMap("e2e-killed", fmt.Sprintf("o-%03d", i)))
	}
	commit := write("0")
	s.follow(map[string]string{"region": "eu"})
	for round, atLeast := range []int{5, 100, 200} {
		s.killAgentAt(round, atLeast)
		commit = write(fmt.Sprint(round + 1))
	}
	s.awaitReady(commit)
	for i := range objects {
		s.awaitValue("eu-1", "e2e-killed", fmt.Sprintf("o-%03d", i), "3")
	}
	s.audited()

	// The inventory knows every object: one is pruned when its file goes.
	s.watched()
	s.expect.deletesOnce("eu-1", configMap("e2e-killed", "o-077"))
	s.must(s.clone.Remove("077.yaml"))
	commit = s.push("Remove a file")
	s.awaitGone("eu-1", "e2e-killed", "o-077")
	s.awaitReady(commit)
	s.audited()
}

// killAgentAt kills eu-1's agent as soon as so many objects carry the round's
// value, and returns when it was started again.
func (s *scenario) killAgentAt(round, atLeast int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d objects of round %d", atLeast, round), func() error {
		var list corev1.ConfigMapList
		if err := s.demo.Cluster("eu-1").List(s.ctx, &list, client.InNamespace("e2e-killed")); err != nil {
			return err
		}
		n := 0
		for _, item := range list.Items {
			if item.Data["value"] == fmt.Sprint(round) {
				n++
			}
		}
		if n < atLeast {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
	pid := s.pids().Agents["eu-1"]
	s.must(syscall.Kill(pid, syscall.SIGKILL))
	s.must(s.demo.AwaitRestart(s.ctx, func(p lab.PIDs) int { return p.Agents["eu-1"] }, pid))
}

// versions are the resourceVersions of what the manager keeps, but for Clusters,
// whose lastSeen may move.
func (s *scenario) versions() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, list := range []client.ObjectList{
		&v1alpha1.GitRepoList{}, &v1alpha1.BundleList{}, &v1alpha1.AssignmentList{}, &v1alpha1.ClusterReportList{},
		&v1alpha1.RolloutList{}, &corev1.SecretList{},
	} {
		s.must(s.demo.Hub.List(s.ctx, list))
		maps.Copy(all, resourceVersions(list))
	}
	return all
}

// A manager that is killed and started again rewrites nothing.
func TestManagerKilledAndRestarted(t *testing.T) {
	s := begin(t, "restart")
	s.bundles("e2e-restart", "", ".")
	s.must(s.clone.Write(map[string]string{"one.yaml": settings("e2e-restart", "one", "1"), "two.yaml": settings("e2e-restart", "two", "1")}))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	before := s.versions()
	pid := s.pids().Manager
	s.must(syscall.Kill(pid, syscall.SIGKILL))
	s.must(s.demo.AwaitRestart(s.ctx, func(p lab.PIDs) int { return p.Manager }, pid))
	s.awaitConnected("canary-1", "eu-1", "us-1")
	s.pause(3 * time.Second) // what it wants to do after its start, it has done
	settle(t, s.demo)
	after := s.versions()
	for key := range before {
		if isReport(key) { // agents open a new session with a report of their own
			delete(before, key)
			delete(after, key)
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("resource versions on the hub before and after the restart (-before +after):\n%s", diff)
	}
	s.audited()

	s.watched()
	for _, cluster := range s.clusterNames() {
		s.expect.writesOnce(cluster, configMap("e2e-restart", "one"))
	}
	s.must(s.clone.Replace("one.yaml", `"1"`, `"2"`))
	commit = s.push("Edit after the restart")
	s.awaitReady(commit)
	s.audited()
}

// While the hub cannot be reached an agent goes on, even through a restart of
// its own, and takes the newest state when the hub is back.
func TestHubUnreachableForAWhile(t *testing.T) {
	s := begin(t, "away")
	s.bundles("e2e-away", "correctDrift:\n  enabled: true\n", ".")
	s.must(s.clone.Write(map[string]string{
		"one.yaml": settings("e2e-away", "one", "1"), "two.yaml": settings("e2e-away", "two", "1"),
	}))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	s.expect.writesOnce("eu-1", configMap("e2e-away", "one"))
	s.expect.mayWrite("eu-1", configMap("e2e-away", "two"))
	s.expect.writesOnce("canary-1", configMap("e2e-away", "two"))
	s.expect.writesOnce("us-1", configMap("e2e-away", "two"))
	manager := s.pids().Manager
	s.must(syscall.Kill(manager, syscall.SIGSTOP))
	thaw := func() { s.must(syscall.Kill(manager, syscall.SIGCONT)) }
	t.Cleanup(thaw)
	s.deleteByHand("eu-1", "e2e-away", "one")
	s.awaitValue("eu-1", "e2e-away", "one", "1")
	agent := s.pids().Agents["eu-1"]
	s.must(syscall.Kill(agent, syscall.SIGKILL))
	s.must(s.demo.AwaitRestart(s.ctx, func(p lab.PIDs) int { return p.Agents["eu-1"] }, agent))
	s.editByHand("eu-1", "e2e-away", "two", "by hand")
	s.awaitValue("eu-1", "e2e-away", "two", "1")
	s.must(s.clone.Replace("two.yaml", `"1"`, `"2"`))
	commit = s.push("Edit while the hub is away")
	thaw()
	s.awaitReady(commit)
	s.awaitValue("eu-1", "e2e-away", "two", "2")
	s.audited()
}

// awaitConnected waits until the hub says that clusters are connected.
func (s *scenario) awaitConnected(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.await(name+" to be connected", func() error {
			var c v1alpha1.Cluster
			if err := s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: lab.Workspace, Name: name}, &c); err != nil {
				return err
			}
			for _, one := range c.Status.Conditions {
				if one.Type == v1alpha1.ConditionConnected && one.Status == "True" {
					return nil
				}
			}
			return fmt.Errorf("conditions are %+v", c.Status.Conditions)
		})
	}
}

// resourceVersions by type, namespace and name.
func resourceVersions(list client.ObjectList) map[string]string {
	versions := map[string]string{}
	// The function below returns no error, and a list has items.
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		if object, ok := o.(client.Object); ok {
			versions[fmt.Sprintf("%T %s", o, client.ObjectKeyFromObject(object))] = object.GetResourceVersion()
		}
		return nil
	})
	return versions
}

func isReport(key string) bool { return strings.HasPrefix(key, "*v1alpha1.ClusterReport ") }
