package agent_test

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/protocol"
)

func (w *world) job(name, image string) content.Object {
	return object("batch/v1", "Job", w.namespace, name, map[string]any{"spec": map[string]any{
		"ttlSecondsAfterFinished": 1,
		"template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never", "containers": []any{map[string]any{"name": "main", "image": image}},
		}},
	}})
}

// finish does what the Job controller does, and then what the TTL controller does.
func (w *world) finish(name string) {
	w.Helper()
	jobs := w.resource(w.namespace, "batch/v1", "jobs")
	background := metav1.DeletePropagationBackground
	now := metav1.Now().UTC().Format("2006-01-02T15:04:05Z")
	patch := []byte(`{"status":{"succeeded":1,"startTime":"` + now + `","completionTime":"` + now + `","uncountedTerminatedPods":{},"conditions":[` +
		`{"type":"SuccessCriteriaMet","status":"True","lastTransitionTime":"` + now + `"},{"type":"Complete","status":"True","lastTransitionTime":"` + now + `"}]}}`)
	if _, err := jobs.Patch(context.Background(), name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		w.Fatal(err)
	}
	w.ready()
	if err := jobs.Delete(context.Background(), name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		w.Fatal(err)
	}
}

func TestAFinishedJobThatRemovedItselfIsDone(t *testing.T) {
	w := newWorld(t)
	w.start()
	options := content.Options{DriftMode: "correct"}
	entry := w.hub.put(t, bundleA, 1, options, w.ns(), w.job("migrate", "one"), w.cm("one", "1"))
	w.entries(entry)
	w.eventually("the Job is there", func() bool { return !w.gone(w.namespace, "batch/v1", "jobs", "migrate") })
	w.finish("migrate")
	w.settle()
	entry.Generation = 2 // a re-sync never runs it again
	w.entries(entry)
	w.ready()
	w.settle()
	w.halt()
	w.start()
	w.eventually("a report after the restart", func() bool {
		report, _ := w.hub.last()
		return report.Sequence == 1 && report.Counts[protocol.StateReady] == 1
	})
	w.settle()
	if !w.gone(w.namespace, "batch/v1", "jobs", "migrate") {
		t.Error("the Job was made again")
	}
	w.entries(w.hub.put(t, bundleA, 3, options, w.ns(), w.job("migrate", "two"), w.cm("one", "1")))
	w.eventually("a Job that changed is a new one", func() bool { return !w.gone(w.namespace, "batch/v1", "jobs", "migrate") })
}

func TestAReleaseNamespaceOfTwoBundlesIsDeletedWithTheLast(t *testing.T) {
	w := newWorld(t)
	w.start()
	release := object("v1", "Namespace", "", w.namespace, nil)
	release.Role = content.RoleReleaseNamespace
	options := content.Options{Namespace: w.namespace}
	a := w.hub.put(t, bundleA, 1, options, release, w.cm("one", "1"))
	b := w.hub.put(t, bundleB, 1, options, release, w.cm("two", "2"))
	w.entries(a)
	w.ready()
	w.entries(a, b)
	w.ready()
	removal := protocol.Removal{UID: bundleA, Workspace: "default", Bundle: "bundle-" + bundleA, DeleteNamespace: true}
	w.hub.assign(t, func(d *protocol.Document) { d.Entries, d.Removals = []protocol.Entry{b}, []protocol.Removal{removal} })
	w.headGone(bundleA)
	if u := w.get("", "v1", "namespaces", w.namespace); u.GetDeletionTimestamp() != nil {
		t.Fatal("the namespace of the other bundle is being deleted")
	}
	w.configMap("two")
	removal = protocol.Removal{UID: bundleB, Workspace: "default", Bundle: "bundle-" + bundleB, DeleteNamespace: true}
	w.removal(removal)
	// The one that made the namespace went first: the knowledge that it was ours went to the last.
	w.eventually("the namespace is deleted with its last owner", func() bool {
		u, err := w.resource("", "v1", "namespaces").Get(context.Background(), w.namespace, metav1.GetOptions{})
		return err != nil || u.GetDeletionTimestamp() != nil
	})
}
