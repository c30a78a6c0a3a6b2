package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Bundle is the unit of deployment: one directory of a repository, or resources written by hand.
//
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 180",message="the name of a bundle has at most 180 characters"
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mb,categories=muster
// +kubebuilder:printcolumn:name="Path",type=string,JSONPath=`.spec.source.path`
// +kubebuilder:printcolumn:name="Gen",type=integer,JSONPath=`.status.generation`
// +kubebuilder:printcolumn:name="Clusters",type=string,JSONPath=`.status.display.readyClusters`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type Bundle struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is what is wanted.
	Spec BundleSpec `json:"spec"`
	// Status is what became of it.
	// +optional
	Status BundleStatus `json:"status,omitempty"`
}

// BundleList is a list of Bundles.
//
// +kubebuilder:object:root=true
type BundleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Bundle `json:"items"`
}

// BundleSpec is what is wanted.
// +kubebuilder:validation:XValidation:rule="!has(self.source) || !has(self.resources) || size(self.resources) == 0",message="a bundle read from Git has no resources of its own"
type BundleSpec struct {
	BundleOptions `json:",inline"`
	// Source says which directory of which repository this was read from.
	// +optional
	Source *BundleSource `json:"source,omitempty"`
	// Inputs is the content id of the bundle's files.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Inputs string `json:"inputs,omitempty"`
	// Resources are files written by hand (Fleet's resources).
	// +optional
	// +kubebuilder:validation:MaxItems=5000
	Resources []BundleResource `json:"resources,omitempty"`
	// Targets say which clusters get the bundle: the first entry that matches a cluster decides.
	// None in a bundle made by hand means every cluster of the workspace.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	Targets []Target `json:"targets,omitempty"`
	// TargetRestrictions limit Targets: a cluster gets the bundle only if one of them matches it too.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	TargetRestrictions []Target `json:"targetRestrictions,omitempty"`
	// TargetCustomizations override options per cluster.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	TargetCustomizations []Customization `json:"targetCustomizations,omitempty"`
	// TargetCustomizationMode is FirstMatch (default) or AllMatches.
	// +optional
	TargetCustomizationMode CustomizationMode `json:"targetCustomizationMode,omitempty"`
	// DependsOn lists bundles that must be ready first on the same cluster.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	DependsOn []Dependency `json:"dependsOn,omitempty"`
	// RolloutStrategy is Fleet's: partitions and how many clusters may be unavailable.
	// +optional
	RolloutStrategy *RolloutStrategy `json:"rolloutStrategy,omitempty"`
	// Rollout is Muster's own way to say how a change spreads.
	// +optional
	Rollout *RolloutOptions `json:"rollout,omitempty"`
	// Paused computes and shows changes without handing them out.
	// +optional
	Paused bool `json:"paused,omitempty"`
}

// BundleSource says where a bundle was read.
type BundleSource struct {
	// GitRepo is the name of the GitRepo.
	GitRepo string `json:"gitRepo"`
	// Path is the bundle's directory.
	Path string `json:"path"`
	// OptionsFile is the fleet.yaml used, relative to Path.
	// +optional
	OptionsFile string `json:"optionsFile,omitempty"`
	// Identity is the digest of everything read for this bundle (git tree hashes).
	Identity string `json:"identity"`
	// Commit is the commit at which Identity last changed.
	// +optional
	Commit string `json:"commit,omitempty"`
	// Charts are what the charts that do not lie in the repository were resolved to.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	Charts []ChartLock `json:"charts,omitempty"`
}

// ChartLock is a chart from outside the repository and the archive it was resolved to.
type ChartLock struct {
	// Repo is the URL of the chart's HTTP repository; empty for oci:// and archive URLs.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Repo string `json:"repo,omitempty"`
	// Chart is a name in Repo, an oci:// reference or an archive's URL.
	// +kubebuilder:validation:MaxLength=2048
	Chart string `json:"chart"`
	// Version is what was asked for: exact, a constraint, or empty for the latest.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Version string `json:"version,omitempty"`
	// Resolved is the version taken; empty for an archive's URL.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Resolved string `json:"resolved,omitempty"`
	// Digest is sha256:<hex> of the archive.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`
}

// BundleResource is one file of a hand-made bundle.
type BundleResource struct {
	// Name is the file name; its ending tells what it holds.
	// +optional
	Name string `json:"name,omitempty"`
	// Content is the text, encoded as Encoding says.
	Content string `json:"content"`
	// Encoding is empty (plain text), base64 or base64+gz.
	// +optional
	// +kubebuilder:validation:Enum="";base64;base64+gz
	Encoding string `json:"encoding,omitempty"`
}

// BundleStatus is what became of a bundle.
type BundleStatus struct {
	// ObservedGeneration is the spec's generation this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Generation counts changes of what any cluster shall run; see Rollout.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// Summary counts clusters by state.
	// +optional
	// +structType=atomic
	Summary Summary `json:"summary,omitempty"`
	// Display holds texts for the printer columns.
	// +optional
	// +structType=atomic
	Display Display `json:"display,omitempty"`
	// NotReady lists clusters that are not Ready, at most 20.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	NotReady []ClusterState `json:"notReady,omitempty"`
	// Holds are what waits for a person or a time.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Holds []Hold `json:"holds,omitempty"`
	// Problems are what is wrong, with file and line; at most 20.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Problems []Problem `json:"problems,omitempty"`
	// Charts are what the charts that do not lie in the repository were resolved to.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	Charts []ChartLock `json:"charts,omitempty"`
	// Conditions: Ready, Reconciling, Stalled, Held.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ClusterState is one cluster's state for one bundle.
type ClusterState struct {
	// Cluster is workspace/name.
	Cluster string `json:"cluster"`
	// State as in DESIGN: Applying, NotReady, Modified, Failed, Held, Pending, Removing.
	State string `json:"state"`
	// Message says why.
	// +optional
	Message string `json:"message,omitempty"`
	// Generation the state speaks of.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// Hold is something that waits, and why.
type Hold struct {
	// ID is what muster approve names.
	ID string `json:"id"`
	// Reason in CamelCase.
	Reason string `json:"reason"`
	// Message says what is held and what releases it.
	Message string `json:"message"`
	// Until is when it ends by itself, if it does.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
}
