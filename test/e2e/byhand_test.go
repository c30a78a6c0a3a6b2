package e2e_test

import (
	"fmt"
	"testing"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// deleteByHand and editByHand do what kubectl would.
func (s *scenario) deleteByHand(cluster, namespace, name string) {
	s.t.Helper()
	s.must(s.demo.Cluster(cluster).Delete(s.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
}

func (s *scenario) editByHand(cluster, namespace, name, value string) {
	s.t.Helper()
	c, err := s.get(cluster, namespace, name)
	s.must(err)
	before := c.DeepCopy()
	c.Data["value"] = value
	s.must(s.demo.Cluster(cluster).Patch(s.ctx, &c, client.MergeFrom(before), client.FieldOwner("kubectl-edit")))
}

// An object that was deleted and one that was edited by hand are put back where
// the bundle says so, each with one write.
func TestChangesByHandAreCorrected(t *testing.T) {
	s := begin(t, "correct")
	s.bundles("e2e-correct", "correctDrift:\n  enabled: true\n", ".")
	s.must(s.clone.Write(map[string]string{
		"one.yaml": settings("e2e-correct", "one", "1"), "two.yaml": settings("e2e-correct", "two", "1"),
		"three.yaml": settings("e2e-correct", "three", "1"),
	}))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	s.expect.writesOnce("eu-1", configMap("e2e-correct", "one"), configMap("e2e-correct", "two"))
	s.deleteByHand("eu-1", "e2e-correct", "one")
	s.editByHand("eu-1", "e2e-correct", "two", "by hand")
	s.awaitValue("eu-1", "e2e-correct", "one", "1")
	s.awaitValue("eu-1", "e2e-correct", "two", "1")
	s.awaitReady(commit)
	s.audited()
}

// Where the bundle does not say so, changes by hand are reported and left.
func TestChangesByHandAreReported(t *testing.T) {
	s := begin(t, "report")
	s.bundles("e2e-report", "", ".")
	s.must(s.clone.Write(map[string]string{
		"one.yaml": settings("e2e-report", "one", "1"), "two.yaml": settings("e2e-report", "two", "1"),
	}))
	commit := s.push("Start")
	s.follow(nil)
	s.awaitReady(commit)

	s.watched()
	s.deleteByHand("us-1", "e2e-report", "one")
	s.editByHand("us-1", "e2e-report", "two", "by hand")
	s.await("one pair Modified", func() error {
		repo, err := s.repo()
		if err == nil && repo.Status.Summary.Modified != 1 {
			err = fmt.Errorf("summary is %+v", repo.Status.Summary)
		}
		return err
	})
	s.await("both objects in the report", func() error {
		var report v1alpha1.ClusterReport
		err := s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: "muster-system", Name: "default.us-1"}, &report)
		if err != nil {
			return err
		}
		states := map[string]string{}
		for _, b := range report.Spec.Bundles {
			for _, o := range b.Objects {
				states[o.Key] = o.State
			}
		}
		if states["/ConfigMap/e2e-report/one"] != "Missing" || states["/ConfigMap/e2e-report/two"] != "Modified" {
			return fmt.Errorf("states are %v", states)
		}
		return nil
	})
	s.audited()

	// What people put back themselves is seen too.
	s.watched()
	s.editByHand("us-1", "e2e-report", "two", "1")
	s.must(s.demo.Cluster("us-1").Create(s.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "e2e-report", Name: "one"}, Data: map[string]string{"value": "1"},
	}))
	s.await("two or one Modified less", func() error {
		var report v1alpha1.ClusterReport
		if err := s.demo.Hub.Get(s.ctx, client.ObjectKey{Namespace: "muster-system", Name: "default.us-1"}, &report); err != nil {
			return err
		}
		for _, b := range report.Spec.Bundles {
			for _, o := range b.Objects {
				if o.Key == "/ConfigMap/e2e-report/two" {
					return fmt.Errorf("it is still reported: %+v", o)
				}
			}
		}
		return nil
	})
	s.audited()
}
