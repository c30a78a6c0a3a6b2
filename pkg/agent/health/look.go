package health

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/muster-dev/muster/pkg/agent/core"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/diff"
)

// Decode reads an object. Whole numbers become int64, as kstatus wants them.
func Decode(data []byte) (map[string]any, error) {
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	return object, nil
}

// Look returns what the core must know of an object.
func Look(object map[string]any) *core.Live {
	u := &unstructured.Unstructured{Object: object}
	l := &core.Live{
		UID: string(u.GetUID()), Revision: u.GetResourceVersion(),
		Labelled: u.GetLabels()[v1alpha1.LabelBundle] != "",
		Release:  release(u), Foreign: foreign(object),
		Prints:      diff.Fingerprints(object, "muster"),
		Terminating: u.GetDeletionTimestamp() != nil,
	}
	l.Owner, l.Intent, _ = strings.Cut(u.GetAnnotations()[v1alpha1.AnnotationOwner], "/")
	l.Health, l.Message = judge(u)
	l.Done = l.Health == core.HealthCurrent && finishedAndLeaving(u)
	return l
}

// release names the Helm release that owns the object, as Helm marks it.
func release(u *unstructured.Unstructured) string {
	a := u.GetAnnotations()
	if u.GetLabels()["app.kubernetes.io/managed-by"] != "Helm" || a["meta.helm.sh/release-name"] == "" {
		return ""
	}
	return a["meta.helm.sh/release-namespace"] + "/" + a["meta.helm.sh/release-name"]
}

func foreign(object map[string]any) bool {
	return slices.ContainsFunc(diff.Managers(object), func(m string) bool {
		return m != "muster" && !strings.HasPrefix(m, "muster:")
	})
}

// judge asks kstatus, which reads conditions and generations of any kind.
func judge(u *unstructured.Unstructured) (core.Health, string) {
	result, err := status.Compute(u)
	if err != nil {
		return core.HealthProgressing, err.Error()
	}
	switch result.Status {
	case status.CurrentStatus:
		return core.HealthCurrent, ""
	case status.FailedStatus:
		return core.HealthFailed, result.Message
	case status.TerminatingStatus:
		return core.HealthProgressing, "is being deleted"
	}
	return core.HealthProgressing, result.Message
}

// finishedAndLeaving tells whether a Job is complete and will be removed by
// its time to live: its absence later is no loss.
func finishedAndLeaving(u *unstructured.Unstructured) bool {
	if u.GetKind() != "Job" || !strings.HasPrefix(u.GetAPIVersion(), "batch/") {
		return false
	}
	if _, ok, err := unstructured.NestedInt64(u.Object, "spec", "ttlSecondsAfterFinished"); !ok || err != nil {
		return false
	}
	conditions, _, err := unstructured.NestedSlice(u.Object, "status", "conditions")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(conditions, func(c any) bool {
		m, _ := c.(map[string]any)
		return m["type"] == "Complete" && m["status"] == "True"
	})
}
