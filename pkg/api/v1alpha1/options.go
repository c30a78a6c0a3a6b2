package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BundleOptions is what fleet.yaml says of one deployment and what a
// customization may override. A nil field is "not said"; a customization
// overrides by saying it, false and "" included ("-" resets a string too). A
// list or map that is said and empty resets as well, so it is stored: omitzero.
type BundleOptions struct {
	// DefaultNamespace is given to namespaced objects that name none, and is the release namespace.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	DefaultNamespace *string `json:"defaultNamespace,omitempty"`
	// Namespace forces every object into it; a cluster-scoped object is then an error.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace *string `json:"namespace,omitempty"`
	// CreateNamespace says whether the release namespace is applied with the bundle. Default true.
	// +optional
	CreateNamespace *bool `json:"createNamespace,omitempty"`
	// NamespaceLabels are set on the release namespace; only those listed are owned.
	// +optional
	// +kubebuilder:validation:MaxProperties=100
	NamespaceLabels map[string]string `json:"namespaceLabels,omitzero"`
	// NamespaceAnnotations are set on the release namespace; only those listed are owned.
	// +optional
	// +kubebuilder:validation:MaxProperties=100
	NamespaceAnnotations map[string]string `json:"namespaceAnnotations,omitzero"`
	// Kustomize chooses the kustomization to build.
	// +optional
	Kustomize *KustomizeOptions `json:"kustomize,omitempty"`
	// Helm says which chart is rendered and with what values.
	// +optional
	Helm *HelmOptions `json:"helm,omitempty"`
	// YAML chooses overlays of raw manifests.
	// +optional
	YAML *YAMLOptions `json:"yaml,omitempty"`
	// ServiceAccount is impersonated on the target cluster for every request of this bundle.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ServiceAccount *string `json:"serviceAccount,omitempty"`
	// ForceSyncGeneration redeploys when it changes.
	// +optional
	ForceSyncGeneration *int64 `json:"forceSyncGeneration,omitempty"`
	// KeepResources leaves the objects in place when the bundle is removed from a cluster.
	// +optional
	KeepResources *bool `json:"keepResources,omitempty"`
	// DeleteNamespace deletes the release namespace with the bundle; system namespaces and default never.
	// +optional
	DeleteNamespace *bool `json:"deleteNamespace,omitempty"`
	// DeleteCRDResources deletes a chart's CRDs with the bundle.
	// +optional
	DeleteCRDResources *bool `json:"deleteCRDResources,omitempty"`
	// CorrectDrift says what happens to changes made on the cluster.
	// +optional
	CorrectDrift *CorrectDrift `json:"correctDrift,omitempty"`
	// Diff leaves differences out of drift.
	// +optional
	Diff *DiffOptions `json:"diff,omitempty"`
	// Ignore leaves conditions out of health.
	// +optional
	Ignore *IgnoreOptions `json:"ignore,omitempty"`
	// DownstreamResources are hub ConfigMaps and Secrets copied along.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	DownstreamResources []DownstreamResource `json:"downstreamResources,omitzero"`
	// HubValuesFrom reads values in the workspace on the hub.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	HubValuesFrom []ValuesFrom `json:"hubValuesFrom,omitzero"`
	// Health holds CEL expressions by kind.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	Health []HealthCheck `json:"health,omitzero"`
	// Drift sets the drift mode and ignore rules in Muster's own terms.
	// +optional
	Drift *DriftOptions `json:"drift,omitempty"`
	// Windows are the times in which this bundle may change clusters.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	Windows []Window `json:"windows,omitzero"`
}

// KustomizeOptions chooses the kustomization.
type KustomizeOptions struct {
	// Dir is the directory with the kustomization, relative to the bundle.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Dir *string `json:"dir,omitempty"`
}

// HelmOptions is Fleet's helm block.
type HelmOptions struct {
	// Chart is a local directory or archive, a URL, or a name in Repo.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Chart *string `json:"chart,omitempty"`
	// Repo is the URL of an HTTP chart repository.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Repo *string `json:"repo,omitempty"`
	// Version is an exact version or a constraint.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Version *string `json:"version,omitempty"`
	// ReleaseName is .Release.Name; the bundle name if not said.
	// +optional
	ReleaseName *string `json:"releaseName,omitempty"`
	// Values are laid over the chart's defaults.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *apiextensionsv1.JSON `json:"values,omitempty"`
	// ValuesFiles are read from the bundle and laid over Values, in order.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=1024
	ValuesFiles []string `json:"valuesFiles,omitzero"`
	// TemplateValues are values whose texts are Go templates.
	// +optional
	// +kubebuilder:validation:MaxProperties=1000
	TemplateValues map[string]string `json:"templateValues,omitzero"`
	// ValuesFrom reads values on the target cluster.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	ValuesFrom []ValuesFrom `json:"valuesFrom,omitzero"`
	// TakeOwnership adopts objects of others.
	// +optional
	TakeOwnership *bool `json:"takeOwnership,omitempty"`
	// Force replaces objects whose immutable fields changed.
	// +optional
	Force *bool `json:"force,omitempty"`
	// Atomic rolls back when the upgrade fails.
	// +optional
	Atomic *bool `json:"atomic,omitempty"`
	// WaitForJobs waits for Jobs too.
	// +optional
	WaitForJobs *bool `json:"waitForJobs,omitempty"`
	// TimeoutSeconds bounds hooks.
	// +optional
	// +kubebuilder:validation:Minimum=0
	TimeoutSeconds *int64 `json:"timeoutSeconds,omitempty"`
	// MaxHistory has no meaning without a Helm release; read and kept.
	// +optional
	MaxHistory *int64 `json:"maxHistory,omitempty"`
	// DisablePreProcess leaves "${ }" in values alone.
	// +optional
	DisablePreProcess *bool `json:"disablePreProcess,omitempty"`
	// DisableDNS is always true in effect: charts never resolve names.
	// +optional
	DisableDNS *bool `json:"disableDNS,omitempty"`
	// SkipSchemaValidation leaves values.schema.json unchecked.
	// +optional
	SkipSchemaValidation *bool `json:"skipSchemaValidation,omitempty"`
	// DisableDependencyUpdate uses vendored dependencies only.
	// +optional
	DisableDependencyUpdate *bool `json:"disableDependencyUpdate,omitempty"`
}

// ValuesFrom names a ConfigMap or Secret key with values in it.
// +kubebuilder:validation:XValidation:rule="has(self.configMapKeyRef) || has(self.secretKeyRef)",message="name a configMapKeyRef or a secretKeyRef"
type ValuesFrom struct {
	// ConfigMapKeyRef names a key of a ConfigMap.
	// +optional
	ConfigMapKeyRef *KeyRef `json:"configMapKeyRef,omitempty"`
	// SecretKeyRef names a key of a Secret.
	// +optional
	SecretKeyRef *KeyRef `json:"secretKeyRef,omitempty"`
}

// KeyRef names a key of an object.
type KeyRef struct {
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// Namespace of the object; the release namespace if empty.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Key in its data; values.yaml if empty.
	// +optional
	Key string `json:"key,omitempty"`
}

// YAMLOptions chooses overlays.
type YAMLOptions struct {
	// Overlays name directories under overlays/, applied in order.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	Overlays []string `json:"overlays,omitzero"`
}

// CorrectDrift is Fleet's correctDrift block.
type CorrectDrift struct {
	// Enabled puts changed objects back.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`
	// Force replaces an object that cannot be put back by an update.
	// +optional
	Force *bool `json:"force,omitempty"`
	// KeepFailHistory is read and kept; there is no Helm history to keep.
	// +optional
	KeepFailHistory *bool `json:"keepFailHistory,omitempty"`
}

// DiffOptions is Fleet's diff block.
type DiffOptions struct {
	// ComparePatches leave fields or whole objects out of drift.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	ComparePatches []ComparePatch `json:"comparePatches,omitzero"`
}

// ComparePatch names objects and what to leave out.
type ComparePatch struct {
	// APIVersion of the objects.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`
	// Kind of the objects.
	// +optional
	Kind string `json:"kind,omitempty"`
	// Namespace of the objects.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the objects; may be a regular expression (RE2).
	// +optional
	Name string `json:"name,omitempty"`
	// Operations to apply before comparing.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	Operations []Operation `json:"operations,omitempty"`
	// JSONPointers to leave out (RFC 6901).
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	JSONPointers []string `json:"jsonPointers,omitempty"`
}

// Operation is one step of a ComparePatch.
type Operation struct {
	// Op is remove or ignore (ignore leaves the whole object out).
	// +optional
	Op string `json:"op,omitempty"`
	// Path is a JSON pointer.
	// +optional
	Path string `json:"path,omitempty"`
	// Value is read and kept.
	// +optional
	Value string `json:"value,omitempty"`
}

// IgnoreOptions is Fleet's ignore block.
type IgnoreOptions struct {
	// Conditions with these keys and values do not count against health.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	Conditions []map[string]string `json:"conditions,omitzero"`
}

// DownstreamResource names a hub ConfigMap or Secret in the workspace.
type DownstreamResource struct {
	// Kind is ConfigMap or Secret.
	// +kubebuilder:validation:Enum=ConfigMap;Secret
	Kind string `json:"kind"`
	// Name of the object.
	Name string `json:"name"`
}

// HealthCheck judges one kind by CEL.
type HealthCheck struct {
	// APIVersion of the objects judged.
	APIVersion string `json:"apiVersion"`
	// Kind of the objects judged.
	Kind string `json:"kind"`
	// Current is true when the object is healthy.
	Current string `json:"current"`
	// Failed is true when the object will not become healthy.
	// +optional
	Failed string `json:"failed,omitempty"`
}

// DriftMode says what happens to drift; "-" in a customization resets it.
// +kubebuilder:validation:Enum=report;correct;off;-
type DriftMode string

// The drift modes.
const (
	DriftReport  DriftMode = "report"
	DriftCorrect DriftMode = "correct"
	DriftOff     DriftMode = "off"
	// DriftReset takes back in a customization what the bundle says.
	DriftReset DriftMode = "-"
)

// DriftOptions is Muster's own drift block.
type DriftOptions struct {
	// Mode is report (default), correct or off; it wins over correctDrift.
	// +optional
	Mode DriftMode `json:"mode,omitempty"`
	// Ignore leaves differences out of drift.
	// +optional
	// +kubebuilder:validation:MaxItems=1000
	Ignore []ComparePatch `json:"ignore,omitzero"`
}

// Window is a recurring time span.
type Window struct {
	// Schedule is a cron expression that says when the window opens.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Schedule string `json:"schedule"`
	// Duration is how long it stays open.
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(ns|us|ms|s)|[0-9]{1,6}([.][0-9]{1,9})?m|[0-9]{1,5}([.][0-9]{1,9})?h)+)$')",message="must be a valid Go duration such as 15s, 5m or 1h30m"
	Duration metav1.Duration `json:"duration"`
	// TimeZone is an IANA name; UTC if empty.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`
	// Kind is allow (default) or deny.
	// +optional
	// +kubebuilder:validation:Enum=allow;deny
	Kind string `json:"kind,omitempty"`
}
