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
}

// Facts about a cluster, as .Capabilities shows them to charts.
type Facts struct {
	// KubeVersion such as v1.36.0; empty = helm.DefaultKubeVersion.
	KubeVersion string `json:"kubeVersion,omitempty"`
	// APIVersions such as apps/v1 or apps/v1/Deployment; empty = Kubernetes' own, as in `helm template`.
	APIVersions []string `json:"apiVersions,omitempty"`
}

// Renderer turns inputs into content. An error is a *Problem if the inputs are
// at fault, and anything else if rendering could not be tried.
type Renderer func(ctx context.Context, in Inputs) (content.Item, error)

// digestVersion changes when equal inputs may give different manifests.
const digestVersion = "muster-render/1"

// Digest names inputs: equal digests give equal content. Facts count for charts
// only, and the context only where something is a template, so that clusters
// that cannot differ share one render.
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
	if in.Kind == bundle.KindHelm {
		// Coarse: every fact counts. Recorded questions will take their place here.
		h.value(in.Facts)
	}
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
