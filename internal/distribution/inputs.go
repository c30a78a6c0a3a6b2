package distribution

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
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

// maxResourceBytes bounds one decoded resource of a hand-made bundle.
const maxResourceBytes = 8 << 20

// InputsFromResources reads the files of a hand-made bundle (Fleet's resources).
func InputsFromResources(resources []v1alpha1.BundleResource, options v1alpha1.BundleOptions) (Inputs, error) {
	in := Inputs{Kind: bundle.KindRaw}
	for i, r := range resources {
		data, err := decodeResource(r)
		if err != nil {
			return Inputs{}, fmt.Errorf("resources[%d] %s: %w", i, r.Name, err)
		}
		name := path.Clean("/" + r.Name)[1:]
		if name == "" {
			name = fmt.Sprintf("resource-%d.yaml", i)
		}
		in.Files = append(in.Files, bundle.File{Path: name, Data: data})
		in.Kind = kindWith(in.Kind, name)
	}
	if options.Kustomize != nil && options.Kustomize.Dir != nil && in.Kind == bundle.KindRaw {
		in.Kind = bundle.KindKustomize
	}
	return in, nil
}

func kindWith(kind bundle.Kind, name string) bundle.Kind {
	switch name {
	case "Chart.yaml":
		return bundle.KindHelm
	case "kustomization.yaml", "kustomization.yml", "Kustomization":
		if kind == bundle.KindRaw {
			return bundle.KindKustomize
		}
	}
	return kind
}

func decodeResource(r v1alpha1.BundleResource) ([]byte, error) {
	if r.Encoding == "" {
		return []byte(r.Content), nil
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(r.Content))
	if err != nil {
		return nil, fmt.Errorf("decode base64: %w", err)
	}
	if r.Encoding == "base64" {
		return data, nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("open gzip: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(zr, maxResourceBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read gzip: %w", err)
	}
	if len(plain) > maxResourceBytes {
		return nil, fmt.Errorf("is larger than %d MiB unpacked", maxResourceBytes>>20)
	}
	return plain, nil
}
