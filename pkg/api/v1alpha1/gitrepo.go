package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GitRepo is a Git repository whose directories are bundles.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=gitrepos,shortName=mgr,categories=muster
// +kubebuilder:printcolumn:name="Repo",type=string,JSONPath=`.spec.repo`
// +kubebuilder:printcolumn:name="Commit",type=string,JSONPath=`.status.commit`
// +kubebuilder:printcolumn:name="Bundles",type=string,JSONPath=`.status.display.readyBundles`
// +kubebuilder:printcolumn:name="Deployed",type=string,JSONPath=`.status.display.readyClusters`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type GitRepo struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// Spec is what the user wants.
	Spec GitRepoSpec `json:"spec"`
	// Status is what the manager found.
	// +optional
	Status GitRepoStatus `json:"status,omitempty"`
}

// GitRepoList is a list of GitRepos.
//
// +kubebuilder:object:root=true
type GitRepoList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []GitRepo `json:"items"`
}

// GitRepoSpec has Rancher Fleet's fields, names and meanings, and some of our own.
// +kubebuilder:validation:XValidation:rule="!(has(self.pollingInterval) && has(self.schedule))",message="set pollingInterval or schedule, not both"
type GitRepoSpec struct {
	// Repo is the URL of the repository: https://, http://, ssh:// or user@host:path.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^(https?://|ssh://|[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:).+$`
	// +kubebuilder:validation:XValidation:rule="!self.matches('^https?://[^/@]*:[^/]*@')",message="put the password into a Secret and name it in clientSecretName; a URL is shown to everyone"
	Repo string `json:"repo"`
	// Branch to follow; the remote's default branch if neither branch nor revision is set.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Branch string `json:"branch,omitempty"`
	// Revision is a commit or a tag; it wins over branch.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Revision string `json:"revision,omitempty"`
	// TargetNamespace forces every object of every bundle into it.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	TargetNamespace string `json:"targetNamespace,omitempty"`
	// ClientSecretName names the Secret with Git credentials; `gitcredential` is read if it is empty.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ClientSecretName string `json:"clientSecretName,omitempty"`
	// HelmSecretName names the Secret with chart registry credentials.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	HelmSecretName string `json:"helmSecretName,omitempty"`
	// HelmSecretNameForPaths names a Secret with credentials by path.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	HelmSecretNameForPaths string `json:"helmSecretNameForPaths,omitempty"`
	// HelmRepoURLRegex limits the chart repositories that get credentials.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	HelmRepoURLRegex string `json:"helmRepoURLRegex,omitempty"`
	// CABundle is a PEM bundle to verify the server with.
	// +optional
	// +kubebuilder:validation:MaxLength=1048576
	CABundle []byte `json:"caBundle,omitempty"`
	// InsecureSkipTLSVerify leaves the server's certificate unchecked; shown as a condition.
	// +optional
	InsecureSkipTLSVerify bool `json:"insecureSkipTLSVerify,omitempty"`
	// Paths are globs of directories, relative to the root; none means the root. A path
	// that matches nothing is an error, and everything deployed stays as it is.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=1024
	Paths []string `json:"paths,omitempty"`
	// Bundles lists bundles explicitly, instead of paths.
	// +optional
	// +kubebuilder:validation:MaxItems=5000
	Bundles []BundlePath `json:"bundles,omitempty"`
	// Paused computes and shows changes without handing them out.
	// +optional
	Paused bool `json:"paused,omitempty"`
	// ServiceAccount is impersonated on target clusters.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Targets say which clusters get the bundles: the first entry that matches a cluster
	// decides. Without any, the ClusterGroup named default does.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	Targets []Target `json:"targets,omitempty"`
	// PollingInterval between two looks at the remote. Default 15s.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(ns|us|ms|s)|[0-9]{1,6}([.][0-9]{1,9})?m|[0-9]{1,5}([.][0-9]{1,9})?h)+)$')",message="must be a valid Go duration such as 15s, 5m or 1h30m"
	PollingInterval *metav1.Duration `json:"pollingInterval,omitempty"`
	// Schedule is a cron expression for polling, instead of an interval.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Schedule string `json:"schedule,omitempty"`
	// DisablePolling leaves webhooks and syncs as the only triggers.
	// +optional
	DisablePolling bool `json:"disablePolling,omitempty"`
	// WebhookSecret names the Secret whose key `token` or `secret` verifies webhooks.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	WebhookSecret string `json:"webhookSecret,omitempty"`
	// ForceSyncGeneration triggers a sync when it changes.
	// +optional
	ForceSyncGeneration int64 `json:"forceSyncGeneration,omitempty"`
	// KeepResources leaves objects in place when bundles are removed.
	// +optional
	KeepResources bool `json:"keepResources,omitempty"`
	// DeleteNamespace deletes release namespaces with their bundles.
	// +optional
	DeleteNamespace bool `json:"deleteNamespace,omitempty"`
	// CorrectDrift is given to bundles that do not say themselves.
	// +optional
	CorrectDrift *CorrectDrift `json:"correctDrift,omitempty"`
	// ImageScanInterval is Fleet's; read and kept.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(ns|us|ms|s)|[0-9]{1,6}([.][0-9]{1,9})?m|[0-9]{1,5}([.][0-9]{1,9})?h)+)$')",message="must be a valid Go duration such as 15s, 5m or 1h30m"
	ImageScanInterval *metav1.Duration `json:"imageSyncInterval,omitempty"`
}

// BundlePath names one bundle explicitly.
type BundlePath struct {
	// Base is the bundle's directory, relative to the repository's root; it is not walked for further bundles.
	// +kubebuilder:validation:MaxLength=1024
	Base string `json:"base"`
	// Options is the fleet.yaml to use, relative to base.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Options string `json:"options,omitempty"`
}

// GitRepoStatus is what the manager found.
type GitRepoStatus struct {
	// ObservedGeneration is the spec's generation this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Commit is the revision whose bundles are live.
	// +optional
	Commit string `json:"commit,omitempty"`
	// SyncGeneration is the forceSyncGeneration last acted on.
	// +optional
	SyncGeneration int64 `json:"syncGeneration,omitempty"`
	// SyncToken is the value of the annotation muster.dev/sync last acted on.
	// +optional
	SyncToken string `json:"syncToken,omitempty"`
	// WebhookPath is where forges send pushes, below the manager's address.
	// +optional
	WebhookPath string `json:"webhookPath,omitempty"`
	// Summary counts (bundle, cluster) pairs by state.
	// +optional
	// +structType=atomic
	Summary Summary `json:"summary,omitempty"`
	// Display holds texts for the printer columns.
	// +optional
	// +structType=atomic
	Display Display `json:"display,omitempty"`
	// Holds are what waits for a person: bundles that left the repository and are kept until approved.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Holds []Hold `json:"holds,omitempty"`
	// Problems are what is wrong in the repository, with file and line; at most 20.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Problems []Problem `json:"problems,omitempty"`
	// MoreProblems counts the problems not listed.
	// +optional
	MoreProblems int `json:"moreProblems,omitempty"`
	// Conditions: Ready, Reconciling, Stalled, Held.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Problem is one fault in a file.
type Problem struct {
	// File relative to the repository root.
	// +optional
	File string `json:"file,omitempty"`
	// Line, from 1; 0 if the problem has none.
	// +optional
	Line int `json:"line,omitempty"`
	// Column, from 1; 0 if the problem has none.
	// +optional
	Column int `json:"column,omitempty"`
	// Bundle it belongs to.
	// +optional
	Bundle string `json:"bundle,omitempty"`
	// Severity is error or warning.
	Severity string `json:"severity"`
	// Code is a stable name of the kind of problem.
	Code string `json:"code"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Suggestion says what to write instead.
	// +optional
	Suggestion string `json:"suggestion,omitempty"`
}

// Summary counts (bundle, cluster) pairs by state.
type Summary struct {
	// Desired is the number of pairs.
	// +optional
	Desired int `json:"desired,omitempty"`
	// Ready counts pairs whose objects are current and healthy.
	// +optional
	Ready int `json:"ready,omitempty"`
	// Applying counts pairs being applied.
	// +optional
	Applying int `json:"applying,omitempty"`
	// NotReady counts pairs applied and not healthy.
	// +optional
	NotReady int `json:"notReady,omitempty"`
	// Modified counts pairs that drifted.
	// +optional
	Modified int `json:"modified,omitempty"`
	// Failed counts pairs that could not be applied.
	// +optional
	Failed int `json:"failed,omitempty"`
	// Held counts pairs that wait for a person or a time.
	// +optional
	Held int `json:"held,omitempty"`
	// Pending counts pairs not yet acknowledged by their cluster.
	// +optional
	Pending int `json:"pending,omitempty"`
	// Removing counts pairs being removed.
	// +optional
	Removing int `json:"removing,omitempty"`
}

// Display holds texts for printer columns.
type Display struct {
	// ReadyBundles such as 3/4.
	// +optional
	ReadyBundles string `json:"readyBundles,omitempty"`
	// ReadyClusters such as 147/150.
	// +optional
	ReadyClusters string `json:"readyClusters,omitempty"`
	// State is the worst state.
	// +optional
	State string `json:"state,omitempty"`
}
