package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Cluster is a Kubernetes cluster with an agent. Its labels belong to operators.
//
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name of a cluster has at most 63 characters"
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mc,categories=muster
// +kubebuilder:printcolumn:name="Bundles",type=string,JSONPath=`.status.display.readyBundles`
// +kubebuilder:printcolumn:name="Connected",type=string,JSONPath=`.status.conditions[?(@.type=="Connected")].status`
// +kubebuilder:printcolumn:name="Last-Seen",type=date,JSONPath=`.status.lastSeen`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.facts.kubernetesVersion`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is set by operators.
	// +optional
	Spec ClusterSpec `json:"spec,omitempty"`
	// Status is set by the gateway and the manager.
	// +optional
	Status ClusterStatus `json:"status,omitempty"`
}

// ClusterList is a list of Clusters.
//
// +kubebuilder:object:root=true
type ClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Cluster `json:"items"`
}

// ClusterSpec is set by operators.
type ClusterSpec struct {
	// Paused freezes what the cluster is assigned: it keeps running what it runs, and gets nothing new.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// TemplateValues are free values of this cluster; a fleet.yaml reads them as .ClusterValues in value templates.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=object
	TemplateValues map[string]apiextensionsv1.JSON `json:"templateValues,omitempty"`
}

// ClusterStatus is set by the gateway (Identity, Facts, LastSeen, Connected) and the status controller (the rest).
type ClusterStatus struct {
	// ObservedGeneration is the spec's generation this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Identity is the agent's, pinned at join.
	// +optional
	Identity *ClusterIdentity `json:"identity,omitempty"`
	// Facts are what the agent says of its cluster; they select nothing.
	// +optional
	Facts *ClusterFacts `json:"facts,omitempty"`
	// LastSeen is when the agent was last heard, persisted at most every 5 minutes.
	// +optional
	LastSeen *metav1.Time `json:"lastSeen,omitempty"`
	// Summary counts bundles by state.
	// +optional
	// +structType=atomic
	Summary Summary `json:"summary,omitempty"`
	// Display holds texts for the printer columns.
	// +optional
	// +structType=atomic
	Display Display `json:"display,omitempty"`
	// Conditions: Ready, Joined, Connected.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClusterIdentity is what the hub knows of an agent's key: public halves only.
type ClusterIdentity struct {
	// UID is the cluster's identity across rejoins; a fresh one at first join.
	UID string `json:"uid"`
	// KubeSystemUID is the uid of the cluster's kube-system namespace.
	// +optional
	KubeSystemUID string `json:"kubeSystemUID,omitempty"`
	// Keys are Ed25519 public keys (base64): the current one and, during a rotation, the next.
	// +kubebuilder:validation:MaxItems=3
	Keys []AgentKey `json:"keys"`
	// Quarantined says why the identity is refused, if it is.
	// +optional
	Quarantined string `json:"quarantined,omitempty"`
}

// AgentKey is one public key of an agent.
type AgentKey struct {
	// ID is the first 16 hex digits of the key's SHA-256.
	ID string `json:"id"`
	// Public is the Ed25519 public key, base64.
	Public string `json:"public"`
	// State is current, next or previous; previous is valid for rotation only.
	// +kubebuilder:validation:Enum=current;next;previous
	State string `json:"state"`
	// Since is when it got this state.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// ClusterFacts are what an agent says of its cluster.
type ClusterFacts struct {
	// KubernetesVersion such as v1.36.3.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// AgentVersion such as v0.1.0.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	AgentVersion string `json:"agentVersion,omitempty"`
	// APIVersions are the served group/versions and group/version/kinds, sorted; at most 2000.
	// +optional
	// +kubebuilder:validation:MaxItems=2000
	APIVersions []string `json:"apiVersions,omitempty"`
	// Nodes is the number of nodes.
	// +optional
	Nodes int `json:"nodes,omitempty"`
}

// ClusterGroup is a named selector of clusters.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mcg,categories=muster
// +kubebuilder:printcolumn:name="Clusters",type=integer,JSONPath=`.status.clusterCount`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is set by operators.
	// +optional
	Spec ClusterGroupSpec `json:"spec,omitempty"`
	// Status counts.
	// +optional
	Status ClusterGroupStatus `json:"status,omitempty"`
}

// ClusterGroupList is a list of ClusterGroups.
//
// +kubebuilder:object:root=true
type ClusterGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterGroup `json:"items"`
}

// ClusterGroupSpec selects clusters.
type ClusterGroupSpec struct {
	// Selector by cluster labels; absent selects none, {} selects all.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// ClusterGroupStatus counts clusters.
type ClusterGroupStatus struct {
	// ObservedGeneration is the spec's generation this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// ClusterCount is how many clusters the selector matches.
	// +optional
	ClusterCount int `json:"clusterCount,omitempty"`
	// Conditions: Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
