package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Assignment is all that one cluster shall run. Written by the composer only,
// in the manager's namespace, named <workspace>.<cluster>.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=ma
// +kubebuilder:printcolumn:name="Epoch",type=integer,JSONPath=`.spec.epoch`
// +kubebuilder:printcolumn:name="Revision",type=integer,JSONPath=`.spec.revision`
// +kubebuilder:printcolumn:name="Bundles",type=integer,JSONPath=`.spec.bundles`
// +kubebuilder:printcolumn:name="Removals",type=integer,JSONPath=`.spec.removals`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Assignment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is the signed document and what people like to see of it.
	// +optional
	Spec AssignmentSpec `json:"spec,omitempty"`
}

// AssignmentList is a list of Assignments.
//
// +kubebuilder:object:root=true
type AssignmentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Assignment `json:"items"`
}

// AssignmentSpec holds the document as it was signed: the same bytes are stored and served.
type AssignmentSpec struct {
	// Epoch grows when a hub was restored and an operator approved it.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// Revision grows by one with every write.
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// Bundles counts entries.
	// +optional
	Bundles int `json:"bundles,omitempty"`
	// Removals counts removals.
	// +optional
	Removals int `json:"removals,omitempty"`
	// Document is the JSON text of protocol.Document.
	// +optional
	// +kubebuilder:validation:MaxLength=1048576
	Document string `json:"document,omitempty"`
	// Signature is a compact JWS by the hub key over protocol.Header, which holds the document's digest.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	Signature string `json:"signature,omitempty"`
}

// ClusterReport is the newest word of one agent. Written by the gateway only,
// in the manager's namespace, named <workspace>.<cluster>.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=mcr
// +kubebuilder:printcolumn:name="Revision",type=integer,JSONPath=`.spec.revision`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.spec.counts.ready`
// +kubebuilder:printcolumn:name="Not-Ready",type=integer,JSONPath=`.spec.notReady`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterReport struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is what was reported.
	// +optional
	Spec ClusterReportSpec `json:"spec,omitempty"`
}

// ClusterReportList is a list of ClusterReports.
//
// +kubebuilder:object:root=true
type ClusterReportList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterReport `json:"items"`
}

// ClusterReportSpec is what an agent reported; a bundle that is not listed is Ready at its acknowledged generation.
type ClusterReportSpec struct {
	// Assignment is the uid of the Assignment the agent follows.
	// +optional
	Assignment string `json:"assignment,omitempty"`
	// Session and Sequence order reports of one agent.
	// +optional
	Session string `json:"session,omitempty"`
	// Sequence grows by one with each report of a session.
	// +optional
	Sequence int64 `json:"sequence,omitempty"`
	// Epoch and Revision of the newest document the agent obeys.
	// +optional
	Epoch int64 `json:"epoch,omitempty"`
	// Revision of the newest document the agent obeys.
	// +optional
	Revision int64 `json:"revision,omitempty"`
	// Counts by state.
	// +optional
	Counts Summary `json:"counts,omitempty"`
	// Bundles that are not Ready, at most 50.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	Bundles []BundleReport `json:"bundles,omitempty"`
	// NotReady counts all bundles that are not Ready, listed or not.
	// +optional
	NotReady int `json:"notReady,omitempty"`
	// Heads are inventories that the obeyed document does not list, at most 1000.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	Heads []Head `json:"heads,omitempty"`
	// Messages are what the agent says of itself (held document, refusals), at most 20.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Messages []string `json:"messages,omitempty"`
}

// BundleReport is one bundle's state on one cluster.
type BundleReport struct {
	// UID of the bundle.
	UID string `json:"uid"`
	// Generation the state speaks of.
	Generation int64 `json:"generation"`
	// State is Applying, NotReady, Modified, Failed, Held or Removing.
	State string `json:"state"`
	// Message says why, one sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// Objects are the objects that are the cause, at most 20.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Objects []ObjectReport `json:"objects,omitempty"`
	// More counts the objects not listed.
	// +optional
	More int `json:"more,omitempty"`
}

// ObjectReport is one object that is not as wanted.
type ObjectReport struct {
	// Key is group/Kind/namespace/name.
	// +kubebuilder:validation:MaxLength=600
	Key string `json:"key"`
	// State is Failed, NotReady, Modified, Missing, Waiting or Conflict.
	State string `json:"state"`
	// Message says why, one sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// Head is the top of one bundle's inventory on a cluster.
type Head struct {
	// UID of the bundle.
	UID string `json:"uid"`
	// Bundle is workspace/name.
	// +optional
	Bundle string `json:"bundle,omitempty"`
	// Generation last applied.
	// +optional
	Generation int64 `json:"generation,omitempty"`
}

// Rollout is the ledger of one bundle. Written by the manager only, in its
// namespace, named <workspace>.<bundle>. It has no status subresource: ledger
// and generation change together, by compare-and-swap, in one write.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=mro
// +kubebuilder:printcolumn:name="Gen",type=integer,JSONPath=`.status.generation`
// +kubebuilder:printcolumn:name="Clusters",type=integer,JSONPath=`.status.clusters`
// +kubebuilder:printcolumn:name="Held",type=integer,JSONPath=`.status.held`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Rollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec names the bundle.
	// +optional
	Spec RolloutSpec `json:"spec,omitempty"`
	// Status is the ledger.
	// +optional
	Status RolloutStatus `json:"status,omitempty"`
}

// RolloutList is a list of Rollouts.
//
// +kubebuilder:object:root=true
type RolloutList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Rollout `json:"items"`
}

// RolloutSpec names the bundle.
type RolloutSpec struct {
	// Workspace of the bundle.
	Workspace string `json:"workspace"`
	// Bundle is its name.
	Bundle string `json:"bundle"`
	// UID of the Bundle; generations are compared only within one.
	UID string `json:"uid"`
}

// RolloutStatus is the ledger.
type RolloutStatus struct {
	// Generation grows by one whenever the wanted identity of any cluster changes.
	// +optional
	Generation int64 `json:"generation,omitempty"`
	// BundleGeneration is the metadata.generation of the Bundle that ObservedInputs speaks of.
	// +optional
	BundleGeneration int64 `json:"bundleGeneration,omitempty"`
	// ObservedInputs is the digest of everything that was resolved into Wants.
	// +optional
	ObservedInputs string `json:"observedInputs,omitempty"`
	// Wants is the content id of the map cluster -> want.
	// +optional
	Wants string `json:"wants,omitempty"`
	// LastGood is the content id of the wants that were last Ready or approved everywhere; losses are counted against it.
	// +optional
	LastGood string `json:"lastGood,omitempty"`
	// Clusters counts the clusters that want the bundle.
	// +optional
	Clusters int `json:"clusters,omitempty"`
	// InFlight is the admission ledger: cluster -> generation.
	// +optional
	// +kubebuilder:validation:MaxProperties=2500
	InFlight map[string]int64 `json:"inFlight,omitempty"`
	// Held counts clusters with a hold.
	// +optional
	Held int `json:"held,omitempty"`
	// Removing says that no cluster shall run the bundle any more: it was deleted and nothing holds that.
	// +optional
	Removing bool `json:"removing,omitempty"`
	// Holds are the losses that wait for approval.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Holds []Hold `json:"holds,omitempty"`
	// Approved are digests of loss sets that a person released, newest last.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Approved []Approval `json:"approved,omitempty"`
	// Problems are per-cluster errors of matching and rendering, at most 20.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Problems []Problem `json:"problems,omitempty"`
}

// Approval records who released which loss.
type Approval struct {
	// Hold is the id that was approved.
	Hold string `json:"hold"`
	// Losses is the content id of the loss set; subsets of it are covered too.
	// +optional
	Losses string `json:"losses,omitempty"`
	// By is who approved.
	// +optional
	By string `json:"by,omitempty"`
	// Reason as given.
	// +optional
	Reason string `json:"reason,omitempty"`
	// At is when.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}

// JoinToken lets agents join. It holds the public half of an Ed25519 seed only.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=mjt,categories=muster
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.spec.clusterName`
// +kubebuilder:printcolumn:name="Uses",type=integer,JSONPath=`.status.uses`
// +kubebuilder:printcolumn:name="Max-Uses",type=integer,JSONPath=`.spec.maxUses`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expires`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type JoinToken struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is set when the token is made.
	Spec JoinTokenSpec `json:"spec"`
	// Status counts uses.
	// +optional
	Status JoinTokenStatus `json:"status,omitempty"`
}

// JoinTokenList is a list of JoinTokens.
//
// +kubebuilder:object:root=true
type JoinTokenList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []JoinToken `json:"items"`
}

// JoinTokenSpec binds a token to a name or to labels.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a join token cannot be changed; make a new one"
type JoinTokenSpec struct {
	// PublicKey is the Ed25519 public key of the token's seed, base64. The seed itself is in the token only.
	// +kubebuilder:validation:MinLength=43
	// +kubebuilder:validation:MaxLength=44
	PublicKey string `json:"publicKey"`
	// ClusterName is the only name that may join with it; empty if Labels are set.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ClusterName string `json:"clusterName,omitempty"`
	// Labels are given to every cluster that joins with it.
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	Labels map[string]string `json:"labels,omitempty"`
	// Expires is when it stops working.
	Expires metav1.Time `json:"expires"`
	// MaxUses is how often it works. Default 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxUses int `json:"maxUses,omitempty"`
}

// JoinTokenStatus counts uses.
type JoinTokenStatus struct {
	// ObservedGeneration is the spec's generation this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Uses counts clusters that joined.
	// +optional
	Uses int `json:"uses,omitempty"`
	// UsedBy are the ids of the keys that joined with it; a retry with the same key is not a use.
	// +optional
	// +kubebuilder:validation:MaxItems=10000
	UsedBy []string `json:"usedBy,omitempty"`
	// Conditions: Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
