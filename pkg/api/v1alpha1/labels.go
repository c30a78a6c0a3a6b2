package v1alpha1

// Labels and annotations that carry meaning for Muster.
const (
	// LabelWorkspace marks a hub namespace as a workspace, the tenant boundary.
	LabelWorkspace = "muster.dev/workspace"
	// LabelBundle is the watch filter on every applied object: the short uid of its bundle.
	LabelBundle = "muster.dev/bundle"
	// AnnotationOwner names an applied object's owner: "<bundle uid>/<intent>".
	AnnotationOwner = "muster.dev/owner"
	// LabelGitRepo names the GitRepo a Bundle was read from.
	LabelGitRepo = "muster.dev/gitrepo"
	// LabelContent marks the Secrets that hold content packs.
	LabelContent = "muster.dev/content"
	// AnnotationSync asks for a sync; any new value triggers one.
	AnnotationSync = "muster.dev/sync"
	// AnnotationApprove releases the hold it names: "<hold id>".
	AnnotationApprove = "muster.dev/approve"
	// AnnotationApprovedBy and AnnotationApproveReason record who released a hold and why.
	AnnotationApprovedBy    = "muster.dev/approved-by"
	AnnotationApproveReason = "muster.dev/approve-reason"
	// AnnotationPin fixes a Bundle to a content digest.
	AnnotationPin = "muster.dev/pin"
	// AnnotationReset allows one new join of an existing cluster: the nonce an operator wrote.
	AnnotationReset = "muster.dev/reset"
	// AnnotationDrain on a Cluster asks for removals of everything assigned before it is deleted.
	AnnotationDrain = "muster.dev/drain"
	// Finalizer is set on GitRepo and Bundle and released when removals are stored in assignments.
	Finalizer = "muster.dev/removal"
)

// Condition types. Ready is the root; the others hold while they are True.
const (
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"
	ConditionHeld        = "Held"
	ConditionConnected   = "Connected"
	ConditionJoined      = "Joined"
)

// Reasons of conditions, shared by every kind.
const (
	ReasonReady             = "Ready"
	ReasonApplying          = "Applying"
	ReasonNotReady          = "NotReady"
	ReasonModified          = "Modified"
	ReasonFailed            = "Failed"
	ReasonPending           = "Pending"
	ReasonHeld              = "Held"
	ReasonPaused            = "Paused"
	ReasonRemoving          = "Removing"
	ReasonNoTargets         = "NoTargets"
	ReasonNoMatch           = "NoMatch"
	ReasonSourceFailed      = "SourceFailed"
	ReasonRefNotFound       = "RefNotFound"
	ReasonUnauthorized      = "Unauthorized"
	ReasonInvalidBundle     = "InvalidBundle"
	ReasonPathNotFound      = "PathNotFound"
	ReasonNotSupported      = "NotSupported"
	ReasonRenderFailed      = "RenderFailed"
	ReasonValuesMissing     = "ValuesMissing"
	ReasonChartUnavailable  = "ChartUnavailable"
	ReasonPolicyDenied      = "PolicyDenied"
	ReasonLossHeld          = "LossHeld"
	ReasonConflict          = "Conflict"
	ReasonHubWentBack       = "HubWentBack"
	ReasonDuplicateIdentity = "DuplicateIdentity"
	ReasonUnassigned        = "Unassigned"
	ReasonNotJoined         = "NotJoined"
	ReasonDisconnected      = "Disconnected"
	ReasonConnected         = "Connected"
)
