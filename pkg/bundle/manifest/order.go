package manifest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/muster-dev/muster/pkg/content"
)

// kindOrder is Helm's install order for the kinds that come before custom
// resources, so that moving a chart here changes no ordering it relied on.
// Namespaces and CRDs are phases of their own; webhooks and APIServices come
// last, since they break requests until what they point at is running.
var kindOrder = ranks(
	"PriorityClass", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
	"ServiceAccount", "Secret", "ConfigMap", "StorageClass", "PersistentVolume", "PersistentVolumeClaim",
	"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Service", "DaemonSet", "Pod", "ReplicationController",
	"ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "IngressClass", "Ingress",
)

// lastKinds follow everything else, custom resources included.
var lastKinds = ranks(
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
	"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService",
)

// Phases of an apply; hooks stand at the end of the list, run apart.
const (
	phaseReleaseNamespace = iota
	phaseNamespaces
	phaseCRDs
	phaseRest
	phaseHooks
)

const (
	customRank = 1000
	lastRank   = 2000
)

// placed is an object with everything its ordering compares, computed once.
type placed struct {
	content.Object
	phase, rank, weight int
	group, kind         string
}

func place(o content.Object) placed {
	group, kind, _, _ := o.Key.Split()
	p := placed{Object: o, phase: phaseRest, group: group, kind: kind, rank: rank(group, kind)}
	switch {
	case o.Role == content.RoleHook:
		p.phase, p.weight = phaseHooks, o.Hook.Weight
	case o.Role == content.RoleReleaseNamespace:
		p.phase = phaseReleaseNamespace
	case group == "" && kind == "Namespace":
		p.phase = phaseNamespaces
	case group == "apiextensions.k8s.io" && kind == "CustomResourceDefinition":
		p.phase = phaseCRDs
	}
	return p
}

// sortForApply orders by phase, then wave, then kind, then name: equal sets of
// objects give equal lists, whatever files they came from.
func sortForApply(objects []content.Object) {
	all := make([]placed, 0, len(objects))
	for _, o := range objects {
		all = append(all, place(o))
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(
			cmp.Compare(a.phase, b.phase),
			cmp.Compare(a.weight, b.weight),
			cmp.Compare(a.Wave, b.Wave),
			cmp.Compare(a.rank, b.rank),
			cmp.Compare(a.kind, b.kind),
			cmp.Compare(a.group, b.group),
			cmp.Compare(a.Key, b.Key),
			strings.Compare(strings.Join(hookEvents(a.Object), ","), strings.Join(hookEvents(b.Object), ",")),
		)
	})
	for i := range all {
		objects[i] = all[i].Object
	}
}

func hookEvents(o content.Object) []string {
	if o.Hook == nil {
		return nil
	}
	return o.Hook.Events
}

// rank of a kind; only Kubernetes' own groups take part, so that somebody's
// custom kind named Service is a custom resource like any other.
func rank(group, kind string) int {
	if !builtinGroup(group) {
		return customRank
	}
	if r, ok := kindOrder[kind]; ok {
		return r
	}
	if r, ok := lastKinds[kind]; ok {
		return lastRank + r
	}
	return customRank
}

func builtinGroup(group string) bool {
	switch group {
	case "", "apps", "autoscaling", "batch", "extensions", "policy":
		return true
	}
	return strings.HasSuffix(group, ".k8s.io")
}

func ranks(kinds ...string) map[string]int {
	m := make(map[string]int, len(kinds))
	for i, kind := range kinds {
		m[kind] = i
	}
	return m
}
