package renderer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/bundle/helm"
	"github.com/muster-dev/muster/pkg/content"
	"github.com/muster-dev/muster/pkg/targets"
)

// Inputs are everything a render may depend on.
type Inputs struct {
	// Bundle is its name; the default release name.
	Bundle string `json:"bundle"`
	// Kind chooses the renderer.
	Kind bundle.Kind `json:"kind"`
	// Files of the bundle, sorted by path.
	Files []bundle.File `json:"files"`
	// Options are merged for one cluster.
	Options v1alpha1.BundleOptions `json:"options"`
	// Context is what value templates see; nil leaves "${ }" in values alone.
	Context *targets.Context `json:"context,omitempty"`
	// Facts about the cluster that a chart may ask for.
	Facts Facts `json:"facts"`
	// HubValues are the documents (JSON) that options.hubValuesFrom names, in the order of
	// bundle.OrderValues; they lie over templateValues.
	HubValues []json.RawMessage `json:"hubValues,omitempty"`
	// LateValues are the documents that helm.valuesFrom names, in the order of
	// bundle.OrderValues; they lie over everything. Without them inputs that name some
	// are refused: never chart defaults for somebody's values.
	LateValues []json.RawMessage `json:"lateValues,omitempty"`
	// Copied are objects (JSON) from the hub that come along (downstreamResources); they are
	// put into the release namespace.
	Copied []json.RawMessage `json:"copied,omitempty"`
	// Cluster is set, as workspace/name, to render for this cluster alone: volatile values
	// are drawn for it and shared with no other.
	Cluster string `json:"cluster,omitempty"`
	// OptionsFile is what problems with options name, relative to the bundle; empty = fleet.yaml.
	OptionsFile string `json:"optionsFile,omitempty"`
}

// Facts about a cluster, as .Capabilities shows them to charts.
type Facts struct {
	// KubeVersion such as v1.36.0; empty = helm.DefaultKubeVersion.
	KubeVersion string `json:"kubeVersion,omitempty"`
	// APIVersions such as apps/v1 or apps/v1/Deployment; empty = Kubernetes' own, as in `helm template`.
	APIVersions []string `json:"apiVersions,omitempty"`
	// Labels of the cluster, for charts that read .Values.global.fleet.clusterLabels.
	Labels map[string]string `json:"labels,omitempty"`
}

// Answer says what a render is told that asks a question about a cluster with these facts.
func (f Facts) Answer(question string) string { return helm.Answer(question, helm.Facts(f)) }

// Agrees tells whether a render that was given these answers would be given the
// same for a cluster with these facts: its content is then this cluster's too.
func (f Facts) Agrees(answers map[string]string) bool {
	for question, answer := range answers {
		if f.Answer(question) != answer {
			return false
		}
	}
	return true
}

// Renderer turns inputs into content. An error is a *Problem if the inputs are
// at fault, and anything else if rendering could not be tried.
type Renderer func(ctx context.Context, in Inputs) (content.Item, error)

// digestVersion changes when equal inputs may give different manifests.
const digestVersion = "muster-render/2"

// Digest names inputs without the facts: equal digests give equal content where
// the facts agree with what was asked of them (content.Item.Answers). The
// context counts only where something is a template, so that clusters that
// cannot differ share one render.
func Digest(in Inputs) string {
	h := digester{sha256.New()}
	h.text(digestVersion)
	h.text(in.Bundle)
	h.text(string(in.Kind))
	for _, f := range in.Files {
		h.text(f.Path)
		h.bytes(f.Data)
	}
	h.value(in.Options)
	if in.Context != nil && NeedsContext(in.Files, in.Options) {
		h.value(in.Context)
	}
	h.value(in.HubValues)
	h.value(in.LateValues)
	h.value(in.Copied)
	h.text(in.Cluster)
	h.text(in.OptionsFile)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// digester hashes length-prefixed fields, so that no two lists of fields look alike.
type digester struct{ hash.Hash }

func (d digester) text(s string) { d.bytes([]byte(s)) }

func (d digester) bytes(b []byte) {
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(b)))
	d.Write(length[:])
	d.Write(b)
}

func (d digester) value(v any) {
	data, err := json.Marshal(v)
	if err != nil {
		// Options and contexts are made of JSON; raw JSON in them that is broken
		// makes the render fail, and hashing its error keeps such inputs apart.
		data = []byte(err.Error())
	}
	d.bytes(data)
}
