package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BundleNamespaceMapping lets bundles of its own workspace reach the clusters of other workspaces.
// The targets of the bundle still choose among those clusters, with the ClusterGroups of the
// cluster's workspace. Its fields are Rancher Fleet's and stand, as there, at the top level.
//
// Whoever may create one gives a workspace's bundles away to others' clusters: grant that to the
// operators of the hub alone. A namespace without the label muster.dev/workspace=true is no
// workspace, and no mapping reaches it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=bundlenamespacemappings,shortName=mbnm,categories=muster
// +kubebuilder:printcolumn:name="Bundles",type=string,JSONPath=`.bundleSelector`
// +kubebuilder:printcolumn:name="Workspaces",type=string,JSONPath=`.namespaceSelector`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BundleNamespaceMapping struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// BundleSelector selects bundles of this workspace by their labels; absent selects none, {} selects all.
	// +optional
	// +nullable
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="write each operator as In or NotIn with values, or Exists or DoesNotExist without"
	BundleSelector *metav1.LabelSelector `json:"bundleSelector,omitempty"`
	// NamespaceSelector selects workspaces by the labels of their namespaces; absent selects none, {} selects all.
	// +optional
	// +nullable
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="write each operator as In or NotIn with values, or Exists or DoesNotExist without"
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}

// BundleNamespaceMappingList is a list of BundleNamespaceMappings.
//
// +kubebuilder:object:root=true
type BundleNamespaceMappingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BundleNamespaceMapping `json:"items"`
}
