package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Policy limits what the bundles of its workspace may do. With several, every one must allow a
// bundle. A bundle that is denied keeps its last good revision on the clusters concerned.
// Its fields are those of Rancher Fleet's GitRepoRestriction and stand, as there, at the top level.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=policies,shortName=mpol,categories=muster
// +kubebuilder:printcolumn:name="Namespaces",type=string,JSONPath=`.allowedTargetNamespaces`
// +kubebuilder:printcolumn:name="Namespace-Selector",type=string,JSONPath=`.allowedTargetNamespaceSelector`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// AllowedTargetNamespaces are the namespaces that bundles may be put into. If there are any, a
	// bundle must name one: by targetNamespace of its GitRepo or namespace of its fleet.yaml.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	AllowedTargetNamespaces []string `json:"allowedTargetNamespaces,omitempty"`
	// AllowedTargetNamespaceSelector selects, by their labels on the target cluster, the namespaces
	// that bundles may be put into. If it is set, a bundle must name its namespace, and the
	// namespace must exist there before the bundle is applied.
	// +optional
	// +nullable
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="write each operator as In or NotIn with values, or Exists or DoesNotExist without"
	AllowedTargetNamespaceSelector *metav1.LabelSelector `json:"allowedTargetNamespaceSelector,omitempty"`
}

// PolicyList is a list of Policies.
//
// +kubebuilder:object:root=true
type PolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Policy `json:"items"`
}
