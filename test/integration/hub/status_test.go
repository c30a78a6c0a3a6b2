package hub_test

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/muster-dev/muster/internal/distribution"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
)

// bundleSays waits until a Bundle's Ready condition has a reason and a text.
func (f *follower) bundleSays(name, reason, part string) {
	f.t.Helper()
	f.until("bundle "+name+" saying "+reason, func() bool {
		b := f.storedBundle(name)
		if b == nil {
			return false
		}
		c := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady)
		return c != nil && c.Reason == reason && strings.Contains(c.Message, part)
	})
}

// What a person wrote by hand and cannot be deployed is said on the Bundle.
func TestABundleThatCannotBeDeployedSaysWhy(t *testing.T) {
	f := follow(t)
	f.create()
	b := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: f.workspace, Name: "mine"}}
	b.Spec.Resources = []v1alpha1.BundleResource{{Name: "a.yaml", Content: "%%%", Encoding: "base64"}}
	check(t, f.api.Create(t.Context(), b))
	f.bundles.Mark(f.workspace + "/mine")
	f.bundleSays("mine", v1alpha1.ReasonInvalidBundle, "resources[0] cannot be read")

	b = f.mustBundle("mine")
	b.Spec.Resources[0].Content, b.Spec.Resources[0].Encoding = object("mine", "1"), ""
	b.Spec.DependsOn = []v1alpha1.Dependency{{Name: "other"}}
	check(t, f.api.Update(t.Context(), b))
	f.bundles.Mark(f.workspace + "/mine")
	f.bundleSays("mine", v1alpha1.ReasonInvalidBundle, "not supported yet: dependsOn")

	b = f.mustBundle("mine")
	b.Spec.DependsOn = nil
	check(t, f.api.Update(t.Context(), b))
	f.bundles.Mark(f.workspace + "/mine")
	f.bundleSays("mine", v1alpha1.ReasonPending, "")
	check(t, f.compose())
	f.wantSays("a", "mine@1")
}

// Between the new ledger and the first document nobody may read Ready: a
// ledger that the composer has not taken over is not what any cell speaks of.
func TestABundleIsNotReadyBeforeItsNewLedgerIsTakenOver(t *testing.T) {
	f := follow(t)
	f.create()
	f.deploy(f.fromGit("app", "ConfigMap/one"))
	for _, cluster := range []string{"a", "b"} {
		f.report(cluster, f.document(cluster))
		f.status.ClusterChanged(f.workspace + "/" + cluster)
	}
	f.bundleSays("app", v1alpha1.ReasonReady, "2/2")

	// Another process writes Bundle and Rollout; this one's cells are those of before.
	other := f.world.process()
	if failed := other.deployer.Deploy(t.Context(), f.workspace, []distribution.Desired{f.fromGit("app", "ConfigMap/one=2")}); len(failed) > 0 {
		t.Fatal(failed)
	}
	f.status.ResyncBundle(f.workspace + "/app")
	f.bundleSays("app", v1alpha1.ReasonPending, "not assigned yet")

	// The next look takes it over.
	f.deployer.RolloutGone(f.workspace, "app")
	f.redeploy("app")
	f.wantSays("a", "app@2")
}

// A cluster that cannot be given a document says so, and when it can again, no more.
func TestAClusterThatCannotBeComposedSaysWhy(t *testing.T) {
	f := follow(t)
	says := func(reason string) func() bool {
		return func() bool {
			var c v1alpha1.Cluster
			check(t, f.api.Get(t.Context(), client.ObjectKey{Namespace: f.workspace, Name: "a"}, &c))
			ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
			return ready != nil && ready.Reason == reason
		}
	}
	f.status.ClusterRefused(f.workspace+"/a", errors.New("read the entries: content not found"))
	f.until("cluster a saying that it is not assigned", says("NotAssigned"))
	f.status.ClusterRefused(f.workspace+"/a", nil)
	f.until("cluster a saying no more of it", func() bool { return !says("NotAssigned")() })
}
