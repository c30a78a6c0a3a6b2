package targets

import (
	"encoding/json"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// Cluster is what targeting may look at.
type Cluster struct {
	Workspace string
	// WorkspaceLabels are those of the workspace's namespace on the hub. They say
	// which bundles of other workspaces may come; the own ones need none.
	WorkspaceLabels map[string]string
	Name            string
	Labels          map[string]string
	Annotations     map[string]string
	TemplateValues  json.RawMessage
	Paused          bool
}

// Key is workspace/name.
func (c Cluster) Key() string { return c.Workspace + "/" + c.Name }

// Group is a ClusterGroup.
type Group struct {
	Workspace string
	Name      string
	Labels    map[string]string
	Selector  *v1alpha1.ClusterGroupSpec
}

// Match is the decision for one bundle and one cluster. Exactly one of these
// holds: Matched, not Matched with a Reason, or Err.
type Match struct {
	Workspace string
	Cluster   string
	Matched   bool
	// Target and Customizations that decided, by name or index.
	Target         string
	Customizations []string
	// Options after customization and label substitution.
	Options v1alpha1.BundleOptions
	// Context is what value templates may see; nil when nothing in Options is a template.
	Context *Context
	// NamespaceSelector must select the target namespace as it is on the cluster
	// (kubectl's notation, "" for no condition): what Policies ask of it.
	NamespaceSelector string
	// OptionsDigest names Options, Context and NamespaceSelector.
	OptionsDigest string
	// Reason of a cluster that is not matched, one sentence.
	Reason string
	Where  bundle.Position
	Trace  []Step
	// WouldMatchIf says what would change a negative answer.
	WouldMatchIf string
	// Err belongs to this row alone; it is a *Denied if a Policy forbids the
	// deployment. A cluster with Err keeps what it has.
	Err error
}

// Context is what value templates see of a cluster.
type Context struct {
	ClusterNamespace   string            `json:"clusterNamespace"`
	ClusterName        string            `json:"clusterName"`
	ClusterLabels      map[string]string `json:"clusterLabels,omitempty"`
	ClusterAnnotations map[string]string `json:"clusterAnnotations,omitempty"`
	ClusterValues      json.RawMessage   `json:"clusterValues,omitempty"`
}

// Step is one line of a trace.
type Step struct {
	Step   int    `json:"step"`
	Rule   string `json:"rule"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Term   string `json:"term,omitempty"`
	Got    string `json:"got,omitempty"`
	Want   string `json:"want,omitempty"`
	Result string `json:"result"`
}
