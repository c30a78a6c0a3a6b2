package manifest

import "strings"

// clusterScoped lists the kinds of Kubernetes' own API groups that live outside
// namespaces, all served versions together (group/Kind). Discovery cannot be
// asked while rendering, and client-go's scheme does not know scopes.
var clusterScoped = setOf(
	"/ComponentStatus", "/Namespace", "/Node", "/PersistentVolume",
	"admissionregistration.k8s.io/MutatingAdmissionPolicy", "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding",
	"admissionregistration.k8s.io/MutatingWebhookConfiguration",
	"admissionregistration.k8s.io/ValidatingAdmissionPolicy", "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
	"admissionregistration.k8s.io/ValidatingWebhookConfiguration",
	"apiextensions.k8s.io/CustomResourceDefinition",
	"apiregistration.k8s.io/APIService",
	"authentication.k8s.io/SelfSubjectReview", "authentication.k8s.io/TokenReview",
	"authorization.k8s.io/SelfSubjectAccessReview", "authorization.k8s.io/SelfSubjectRulesReview", "authorization.k8s.io/SubjectAccessReview",
	"certificates.k8s.io/CertificateSigningRequest", "certificates.k8s.io/ClusterTrustBundle",
	"flowcontrol.apiserver.k8s.io/FlowSchema", "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
	"internal.apiserver.k8s.io/StorageVersion",
	"networking.k8s.io/IngressClass", "networking.k8s.io/IPAddress", "networking.k8s.io/ServiceCIDR", "networking.k8s.io/ClusterCIDR",
	"node.k8s.io/RuntimeClass",
	"policy/PodSecurityPolicy", "extensions/PodSecurityPolicy",
	"rbac.authorization.k8s.io/ClusterRole", "rbac.authorization.k8s.io/ClusterRoleBinding",
	"resource.k8s.io/DeviceClass", "resource.k8s.io/DeviceTaintRule", "resource.k8s.io/ResourceSlice", "resource.k8s.io/ResourcePoolStatusRequest",
	"scheduling.k8s.io/PriorityClass",
	"storage.k8s.io/CSIDriver", "storage.k8s.io/CSINode", "storage.k8s.io/StorageClass",
	"storage.k8s.io/VolumeAttachment", "storage.k8s.io/VolumeAttributesClass",
	"storagemigration.k8s.io/StorageVersionMigration",
	"metrics.k8s.io/NodeMetrics",
)

// scopes knows which kinds are cluster-scoped: Kubernetes' own by table, custom
// ones from the CRDs of the same bundle. An unknown kind counts as namespaced.
type scopes map[string]bool // group/Kind -> cluster-scoped

func newScopes(objects []Object) scopes {
	known := scopes{}
	for i := range objects {
		if !objects[i].isCRD() {
			continue
		}
		spec, _ := dig(objects[i].Body, "spec")
		names, _ := dig(objects[i].Body, "spec", "names")
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		scope, _ := spec["scope"].(string)
		known[group+"/"+kind] = strings.EqualFold(scope, "Cluster")
	}
	return known
}

func (s scopes) cluster(o *Object) bool {
	if custom, known := s[o.Group+"/"+o.Kind]; known {
		return custom
	}
	return clusterScoped[o.Group+"/"+o.Kind]
}

func (o *Object) isCRD() bool {
	return o.Group == "apiextensions.k8s.io" && o.Kind == "CustomResourceDefinition"
}

func setOf(items ...string) map[string]bool {
	set := make(map[string]bool, len(items))
	for _, item := range items {
		set[item] = true
	}
	return set
}
