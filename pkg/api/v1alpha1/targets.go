package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Criteria choose clusters. All that are set must hold; an entry in which none
// is set matches nothing; an empty selector ({}) matches all.
type Criteria struct {
	// Name is for people; muster why shows it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// ClusterName is the name of one cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ClusterName string `json:"clusterName,omitempty"`
	// ClusterSelector selects by cluster labels.
	// +optional
	ClusterSelector *metav1.LabelSelector `json:"clusterSelector,omitempty"`
	// ClusterGroup is the name of a ClusterGroup of the workspace.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ClusterGroup string `json:"clusterGroup,omitempty"`
	// ClusterGroupSelector selects ClusterGroups by their labels.
	// +optional
	ClusterGroupSelector *metav1.LabelSelector `json:"clusterGroupSelector,omitempty"`
}

// Target says where a bundle goes.
type Target struct {
	Criteria `json:",inline"`
	// DoNotDeploy skips the clusters that match here.
	// +optional
	DoNotDeploy bool `json:"doNotDeploy,omitempty"`
}

// Customization overrides options on the clusters that match.
type Customization struct {
	Criteria      `json:",inline"`
	BundleOptions `json:",inline"`
	// DoNotDeploy skips the clusters that match here.
	// +optional
	DoNotDeploy bool `json:"doNotDeploy,omitempty"`
}

// CustomizationMode says how many customizations apply to one cluster.
// +kubebuilder:validation:Enum=FirstMatch;AllMatches
type CustomizationMode string

// The customization modes.
const (
	FirstMatch CustomizationMode = "FirstMatch"
	AllMatches CustomizationMode = "AllMatches"
)

// Dependency is a bundle that must be in an accepted state on the same cluster first.
// +kubebuilder:validation:XValidation:rule="(has(self.name) && size(self.name) > 0) || has(self.selector)",message="a dependency needs a name or a selector"
type Dependency struct {
	// Name of the bundle.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
	// Selector chooses bundles by label.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	// AcceptedStates are the states that count; Ready if empty.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:Enum=Ready;Applying;NotReady;Modified;Failed;Held;Pending;Removing;WaitApplied;ErrApplied;OutOfSync
	AcceptedStates []string `json:"acceptedStates,omitempty"`
}

// RolloutStrategy is Fleet's rolloutStrategy; its mere presence means Fleet's numbers.
type RolloutStrategy struct {
	// MaxUnavailable is a number or percent of clusters.
	// +optional
	// +kubebuilder:validation:XIntOrString
	MaxUnavailable *IntOrString `json:"maxUnavailable,omitempty"`
	// MaxUnavailablePartitions is a number or percent of partitions.
	// +optional
	// +kubebuilder:validation:XIntOrString
	MaxUnavailablePartitions *IntOrString `json:"maxUnavailablePartitions,omitempty"`
	// AutoPartitionSize is a number or percent of clusters.
	// +optional
	// +kubebuilder:validation:XIntOrString
	AutoPartitionSize *IntOrString `json:"autoPartitionSize,omitempty"`
	// AutoPartitionThreshold is the number of clusters from which on partitions are made.
	// +optional
	// +kubebuilder:validation:Minimum=0
	AutoPartitionThreshold *int `json:"autoPartitionThreshold,omitempty"`
	// MaxNew is how many clusters may get the bundle for the first time in one pass.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxNew *int `json:"maxNew,omitempty"`
	// Partitions are named sets of clusters.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	Partitions []Partition `json:"partitions,omitempty"`
}

// Partition is one of Fleet's partitions.
type Partition struct {
	Criteria `json:",inline"`
	// MaxUnavailable is a number or percent of the partition's clusters.
	// +optional
	// +kubebuilder:validation:XIntOrString
	MaxUnavailable *IntOrString `json:"maxUnavailable,omitempty"`
}

// RolloutOptions is Muster's own rollout block.
type RolloutOptions struct {
	// All sends every change everywhere at once.
	// +optional
	All bool `json:"all,omitempty"`
}
