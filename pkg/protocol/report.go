package protocol

// Bounds of a report; the gateway refuses more.
const (
	MaxReportBytes   = 1 << 20
	MaxReportBundles = 50
	MaxReportHeads   = 20000
	MaxReportObjects = 20
)

// Report is what an agent says: latest value wins.
type Report struct {
	Version int `json:"v"`
	// Session and Sequence order the reports of one agent; older ones are dropped.
	Session  string `json:"session"`
	Sequence int64  `json:"sequence"`
	// Assignment, Epoch and Revision of the newest document the agent obeys.
	Assignment string `json:"assignment,omitempty"`
	Epoch      int64  `json:"epoch"`
	Revision   int64  `json:"revision"`
	// Signature is the compact JWS header of that document.
	Signature string `json:"signature,omitempty"`
	// Counts by state over the obeyed document's entries.
	Counts map[State]int `json:"counts,omitempty"`
	// Bundles that are not Ready, at most MaxReportBundles, worst first; NotReady counts all of them.
	Bundles  []BundleReport `json:"bundles,omitempty"`
	NotReady int            `json:"notReady,omitempty"`
	// Heads of all inventories.
	Heads []Head `json:"heads,omitempty"`
	// Messages are what the agent says of itself: held documents, refusals, clock skew. At most 20.
	Messages []string `json:"messages,omitempty"`
	// Facts are sent with the first report of a session and when they change.
	Facts *Facts `json:"facts,omitempty"`
}

// State of one bundle on one cluster, DESIGN section 11.
type State string

// The states, worst last.
const (
	StateReady    State = "Ready"
	StatePending  State = "Pending"
	StateApplying State = "Applying"
	StateModified State = "Modified"
	StateNotReady State = "NotReady"
	StateRemoving State = "Removing"
	StateHeld     State = "Held"
	StateFailed   State = "Failed"
)

// BundleReport is one bundle that is not Ready.
type BundleReport struct {
	UID        string         `json:"u"`
	Generation int64          `json:"g"`
	State      State          `json:"s"`
	Message    string         `json:"m,omitempty"`
	Objects    []ObjectReport `json:"o,omitempty"`
	More       int            `json:"more,omitempty"`
}

// ObjectReport is one object that is not as wanted.
type ObjectReport struct {
	Key     string `json:"k"`
	State   string `json:"s"` // Failed, NotReady, Modified, Missing, Waiting, Conflict, Extra
	Message string `json:"m,omitempty"`
}

// Head is the top of one inventory.
type Head struct {
	UID        string `json:"u"`
	Workspace  string `json:"w"`
	Bundle     string `json:"b"`
	Generation int64  `json:"g"`
	// Objects counts the inventory's entries.
	Objects int `json:"n"`
}

// Facts are what an agent says of its cluster; they select nothing.
type Facts struct {
	KubernetesVersion string   `json:"kubernetesVersion"`
	AgentVersion      string   `json:"agentVersion"`
	APIVersions       []string `json:"apiVersions,omitempty"`
	KubeSystemUID     string   `json:"kubeSystemUID"`
	Nodes             int      `json:"nodes,omitempty"`
}
