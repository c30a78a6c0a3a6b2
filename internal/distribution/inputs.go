package distribution

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/muster-dev/muster/pkg/bundle"
	"github.com/muster-dev/muster/pkg/content"
)

// Inputs are a bundle's files as they are kept on the hub, so that rendering
// again (for a joiner, a label change, a restart) never needs Git.
type Inputs struct {
	Version int           `json:"v"`
	Kind    bundle.Kind   `json:"kind"`
	Files   []bundle.File `json:"files"`
}

// Encode returns the canonical archive and its id.
func (in Inputs) Encode() (content.Blob, error) {
	in.Version = content.Version
	in.Files = append([]bundle.File(nil), in.Files...)
	sort.Slice(in.Files, func(i, j int) bool { return in.Files[i].Path < in.Files[j].Path })
	data, err := json.Marshal(in)
	if err != nil {
		return content.Blob{}, fmt.Errorf("encode inputs: %w", err)
	}
	return content.Blob{Kind: content.KindInputs, ID: content.IDOf(data), Data: data}, nil
}

// DecodeInputs reads the archive.
func DecodeInputs(data []byte) (Inputs, error) {
	var in Inputs
	if err := json.Unmarshal(data, &in); err != nil {
		return Inputs{}, fmt.Errorf("read inputs: %w", err)
	}
	if in.Version > content.Version {
		return Inputs{}, fmt.Errorf("inputs have version %d, this program reads up to %d", in.Version, content.Version)
	}
	return in, nil
}
