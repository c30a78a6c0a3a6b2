package charts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// The media types of Helm's charts in registries.
const (
	mediaConfig      = "application/vnd.cncf.helm.config.v1+json"
	mediaChart       = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	mediaChartLegacy = "application/tar+gzip"
)

// chartLayer is what a manifest says of a chart.
type chartLayer struct {
	// digest is the archive's, config the config's.
	digest, config string
}

// layer finds the chart's layer by tag or digest. Manifests are kept by their digests, so that asking again costs a HEAD,
// which registries do not count as a pull.
func (r *registryChart) layer(ctx context.Context, reference string) (chartLayer, error) {
	desc, err := r.api.Manifests().Resolve(ctx, reference)
	if err != nil {
		return chartLayer{}, r.fail(ctx, "resolve "+reference+" of", err)
	}
	key := r.session.credential.identity() + " " + r.name.shown() + "@" + desc.Digest.String()
	if layer, ok := r.fetcher.manifests.get(key); ok {
		return layer, nil
	}
	layer, err := r.readManifest(ctx, desc)
	if err == nil {
		r.fetcher.manifests.put(key, layer, 1)
	}
	return layer, err
}

func (r *registryChart) readManifest(ctx context.Context, desc ocispec.Descriptor) (chartLayer, error) {
	text, err := r.manifest(ctx, desc)
	if err != nil {
		return chartLayer{}, err
	}
	if desc.MediaType == ocispec.MediaTypeImageIndex {
		if desc, err = r.pickManifest(text); err != nil {
			return chartLayer{}, err
		}
		if text, err = r.manifest(ctx, desc); err != nil {
			return chartLayer{}, err
		}
	}
	return r.pickLayer(desc, text)
}

func (r *registryChart) manifest(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	if desc.Size > maxManifest {
		return nil, r.fault("fetch manifest of", ErrTooLarge, fmt.Sprintf("the manifest has %d bytes, allowed are %d", desc.Size, maxManifest), "")
	}
	body, err := r.api.Manifests().Fetch(ctx, desc)
	if err != nil {
		return nil, r.fail(ctx, "fetch manifest of", err)
	}
	defer body.Close()
	text, err := content.ReadAll(body, desc)
	if err != nil {
		return nil, r.fail(ctx, "fetch manifest of", err)
	}
	return text, nil
}

// pickManifest takes the one chart in an index of manifests. With several there is nothing to choose by.
func (r *registryChart) pickManifest(text []byte) (ocispec.Descriptor, error) {
	var index ocispec.Index
	if err := json.Unmarshal(text, &index); err != nil {
		return ocispec.Descriptor{}, r.fault("read manifest of", ErrProtocol, "the index of manifests is no JSON", "")
	}
	charts := slices.DeleteFunc(index.Manifests, func(d ocispec.Descriptor) bool {
		return d.MediaType != ocispec.MediaTypeImageManifest || d.ArtifactType != mediaConfig && len(index.Manifests) > 1
	})
	if len(charts) != 1 {
		return ocispec.Descriptor{}, r.fault("read manifest of", ErrProtocol, "the tag is an index of several manifests, of which not exactly one is marked as a Helm chart", "push the chart with helm push, or name one manifest with @sha256:")
	}
	return charts[0], nil
}

func (r *registryChart) pickLayer(desc ocispec.Descriptor, text []byte) (chartLayer, error) {
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil || desc.MediaType != ocispec.MediaTypeImageManifest {
		return chartLayer{}, r.fault("read manifest of", ErrProtocol, "this is no OCI image manifest", "push the chart with helm push")
	}
	if manifest.Config.MediaType != mediaConfig {
		return chartLayer{}, r.fault("read manifest of", ErrProtocol, fmt.Sprintf("this is no Helm chart: its config is %q", showText(manifest.Config.MediaType)), "push the chart with helm push")
	}
	layers := slices.DeleteFunc(manifest.Layers, func(d ocispec.Descriptor) bool {
		return d.MediaType != mediaChart && d.MediaType != mediaChartLegacy
	})
	if len(layers) != 1 {
		return chartLayer{}, r.fault("read manifest of", ErrProtocol, fmt.Sprintf("%d layers hold a chart, one has to", len(layers)), "push the chart with helm push")
	}
	if layers[0].Size > r.fetcher.options.MaxArchiveBytes {
		return chartLayer{}, r.fault("read manifest of", ErrTooLarge, fmt.Sprintf("the chart has %d bytes, allowed are %d", layers[0].Size, r.fetcher.options.MaxArchiveBytes), "")
	}
	layer := chartLayer{digest: layers[0].Digest.String(), config: manifest.Config.Digest.String()}
	if !validDigest(layer.digest) || !validDigest(layer.config) {
		return chartLayer{}, r.fault("read manifest of", ErrProtocol, "the manifest names digests that are not sha256", "")
	}
	return layer, nil
}
