package content

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"strings"
)

// Version of the item format. A reader refuses a greater one.
const Version = 1

// ID names an item: the unpadded base64url SHA-256 of its canonical bytes (43 characters).
type ID string

// IDOf returns the id of canonical bytes.
func IDOf(data []byte) ID {
	sum := sha256.Sum256(data)
	return ID(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// Kind says what an item is.
type Kind string

// The kinds of items. Agents are only ever served manifests, source and entries.
const (
	KindManifests Kind = "manifests" // rendered on the hub
	KindSource    Kind = "source"    // inputs to be rendered on the cluster
	KindInputs    Kind = "inputs"    // a bundle's files, for the hub's own use
	KindWants     Kind = "wants"     // cluster -> want, for the hub's own use
	KindEntries   Kind = "entries"   // the entry list of a large document
)

// Item is what an agent fetches for one entry.
type Item struct {
	Version int     `json:"v"`
	Kind    Kind    `json:"kind"`
	Bundle  string  `json:"bundle"`
	Options Options `json:"options"`
	// Objects in apply order, for KindManifests.
	Objects []Object `json:"objects,omitempty"`
	// Source for KindSource.
	Source *Source `json:"source,omitempty"`
	// Files in which objects stand, relative to the bundle, where somebody asked
	// for them: for people's eyes, never encoded.
	Files map[Key]string `json:"-"`
	// Answers are the questions that the render asked about the cluster, and what
	// it was told: another cluster that answers the same gets the same content.
	// Never encoded.
	Answers map[string]string `json:"-"`
	// Origins say which template functions made the volatile values; for people's eyes, never encoded.
	Origins []Origin `json:"-"`
}

// Origin is a place in a template that prints something else each time.
type Origin struct {
	// File of the template, relative to the bundle, and the line in it.
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	// Function that is called there, such as randAlphaNum.
	Function string `json:"function"`
	// Key of the object that the value ends in.
	Key Key `json:"key"`
	// Pointer to the volatile value in the object (RFC 6901).
	Pointer string `json:"pointer"`
}

// Options are what the agent must know of a bundle's options.
type Options struct {
	// Namespace is the release namespace.
	Namespace string `json:"namespace,omitempty"`
	// ServiceAccount is impersonated, as <release namespace or agent's>/<name>; empty = the agent's own rights.
	ServiceAccount string `json:"serviceAccount,omitempty"`
	// Helm is the release name if the bundle is a chart: its objects carry Helm's ownership metadata.
	Helm            string `json:"helm,omitempty"`
	KeepResources   bool   `json:"keepResources,omitempty"`
	DeleteNamespace bool   `json:"deleteNamespace,omitempty"`
	DeleteCRDs      bool   `json:"deleteCRDs,omitempty"`
	TakeOwnership   bool   `json:"takeOwnership,omitempty"`
	Force           bool   `json:"force,omitempty"`
	Atomic          bool   `json:"atomic,omitempty"`
	WaitForJobs     bool   `json:"waitForJobs,omitempty"`
	TimeoutSeconds  int64  `json:"timeoutSeconds,omitempty"`
	DriftMode       string `json:"drift,omitempty"` // report (default), correct, off
	DriftForce      bool   `json:"driftForce,omitempty"`
	ForceSync       int64  `json:"forceSync,omitempty"`
	// ComparePatches (diff.comparePatches, then drift.ignore) leave differences out of drift.
	ComparePatches []v1alpha1.ComparePatch `json:"comparePatches,omitempty"`
	// IgnoreConditions do not count against health.
	IgnoreConditions []map[string]string `json:"ignoreConditions,omitempty"`
	// Health judges kinds by CEL.
	Health []v1alpha1.HealthCheck `json:"health,omitempty"`
	// NamespaceSelector must select the release namespace as it is on the cluster, before
	// anything is applied (a Policy's allowedTargetNamespaceSelector, in kubectl's notation).
	NamespaceSelector string `json:"namespaceSelector,omitempty"`
	// Extra carries options later versions act on, by their fleet.yaml key; kept as they are.
	Extra map[string]json.RawMessage `json:"extra,omitempty"`
}

// Role marks objects that are treated apart.
type Role string

// The roles.
const (
	RoleNone             Role = ""
	RoleReleaseNamespace Role = "releaseNamespace" // co-owned, applied with field manager muster:<short uid>
	RoleChartCRD         Role = "chartCRD"         // from a chart's crds/, co-owned, never pruned by default
	RoleHook             Role = "hook"
)

// Object is one manifest.
type Object struct {
	// Key is the readable index entry: group/Kind/namespace/name.
	Key Key `json:"k"`
	// Role is empty for ordinary objects.
	Role Role `json:"role,omitempty"`
	// Hook for RoleHook.
	Hook *Hook `json:"hook,omitempty"`
	// Wave from annotation muster.dev/wave.
	Wave int `json:"wave,omitempty"`
	// Volatile lists JSON pointers that are create-only and blanked in the identity.
	Volatile []string `json:"volatile,omitempty"`
	// Manifest is the object's JSON, keys sorted.
	Manifest json.RawMessage `json:"o"`
}

// Hook is a Helm hook's phase, weight and delete policy.
type Hook struct {
	Events         []string `json:"events"`
	Weight         int      `json:"weight,omitempty"`
	DeletePolicies []string `json:"deletePolicies,omitempty"`
}

// Source is what the agent needs to render by itself.
type Source struct {
	// Kind of renderer: raw, kustomize or helm.
	Renderer string `json:"renderer,omitempty"`
	// HubValues are what hubValuesFrom gave, in order.
	HubValues []json.RawMessage `json:"hubValues,omitempty"`
	// Copied are objects from the hub (downstreamResources) that come along.
	Copied []json.RawMessage `json:"copied,omitempty"`
	// Inputs is the content id of the bundle's files.
	Inputs ID `json:"inputs"`
	// Options are the merged bundle options for this cluster (v1alpha1.BundleOptions).
	Options json.RawMessage `json:"options"`
	// Context for value templates.
	Context json.RawMessage `json:"context,omitempty"`
	// Labels of the cluster, if what is rendered may read them.
	Labels map[string]string `json:"labels,omitempty"`
	// Reason says why the bundle is rendered on the cluster.
	Reason string `json:"reason"`
}

// Key names an object on a cluster without its version: group/Kind/namespace/name.
// A cluster-scoped object has an empty namespace.
type Key string

// NewKey joins the parts of a key.
func NewKey(group, kind, namespace, name string) Key {
	return Key(group + "/" + kind + "/" + namespace + "/" + name)
}

// Split returns the parts of a key.
func (k Key) Split() (group, kind, namespace, name string) {
	p := strings.SplitN(string(k), "/", 4)
	if len(p) != 4 {
		return "", "", "", string(k)
	}
	return p[0], p[1], p[2], p[3]
}

// Encode returns the canonical bytes of an item and its id. Items that are
// equal have equal bytes: field order is fixed and manifests have sorted keys.
func (it Item) Encode() ([]byte, ID, error) {
	data, err := json.Marshal(it)
	if err != nil {
		return nil, "", fmt.Errorf("encode content of bundle %s: %w", it.Bundle, err)
	}
	return data, IDOf(data), nil
}

// Keys returns the index of an item: the keys of its ordinary objects, the
// co-owned kinds and hooks left out, since they never move and are never lost.
func (it Item) Keys() []Key {
	var keys []Key
	for _, o := range it.Objects {
		if o.Role == RoleNone {
			keys = append(keys, o.Key)
		}
	}
	return keys
}
