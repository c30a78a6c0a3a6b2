package charts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// The media types of Helm's charts in registries.
const (
	mediaConfig      = "application/vnd.cncf.helm.config.v1+json"
	mediaChart       = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	mediaChartLegacy = "application/tar+gzip"
)

// maxManifest bounds a manifest, a chart's config and one page of tags.
const maxManifest = 4 << 20

// registryChart is a chart in an OCI registry.
type registryChart struct {
	fetcher *Fetcher
	session *session
	name    ociName
	ref     bundle.ChartRef
	want    wanted
	api     *remote.Repository
	wire    *authorizer
}

func (f *Fetcher) newRegistryChart(ref bundle.ChartRef, c Credential) (*registryChart, error) {
	name, err := parseOCI("use chart", ociText(ref))
	if err != nil {
		return nil, err
	}
	want, err := parseWanted(ref.Version)
	if err != nil {
		return nil, invalidVersion(bundle.ChartRef{Repo: name.shown(), Chart: name.Repository, Version: ref.Version}, err)
	}
	s, err := newSession(f.options, c, name.url(c.PlainHTTP))
	if err != nil {
		return nil, err
	}
	r := &registryChart{fetcher: f, session: s, name: name, ref: ref, want: want, wire: &authorizer{session: s, name: name}}
	r.api = &remote.Repository{
		Client: r.wire, Reference: name.Reference, PlainHTTP: c.PlainHTTP,
		ManifestMediaTypes: []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex},
		TagListPageSize:    1000, MaxMetadataBytes: maxManifest,
	}
	return r, nil
}

// server implements place.
func (r *registryChart) server() string { return r.session.bound.origin }

// close implements place.
func (r *registryChart) close() { r.session.close() }

// resolve implements place.
func (r *registryChart) resolve(ctx context.Context) (found, error) {
	switch {
	case r.name.digest != "":
		return r.resolvePinned(ctx)
	case r.name.tag != "":
		if tag := tagOf(r.want.text); tag != "" && tag != r.name.tag {
			return found{}, r.fault("resolve", ErrInvalid, fmt.Sprintf("the reference says %s, the version %s", r.name.tag, r.want.text), "leave one of them out")
		}
		return r.resolveTag(ctx, r.name.tag)
	case r.want.exact():
		return r.resolveExact(ctx)
	default:
		return r.resolveConstraint(ctx)
	}
}

// tagOf is a version as a tag, which cannot have a plus.
func tagOf(version string) string { return strings.ReplaceAll(version, "+", "_") }

func versionOf(tag string) string { return strings.ReplaceAll(tag, "_", "+") }

// resolvePinned takes the manifest of a digest. Its version is in the chart's config.
func (r *registryChart) resolvePinned(ctx context.Context) (found, error) {
	layer, err := r.layer(ctx, r.name.digest)
	if err != nil {
		return found{}, err
	}
	text, err := r.get(ctx, "fetch config", layer.config, maxManifest)
	if err != nil {
		return found{}, err
	}
	if digestOf(text) != layer.config {
		return found{}, tampered("fetch config of", r.name.shown(), digestOf(text), layer.config)
	}
	var config struct{ Version string }
	if err := json.Unmarshal(text, &config); err != nil || len(config.Version) > maxConstraint {
		return found{}, r.fault("fetch config of", ErrProtocol, "the chart's config is no metadata", "")
	}
	if parsed, err := semver.NewVersion(config.Version); r.want.text != "" && r.want.text != config.Version && (err != nil || !r.want.constraint.Check(parsed)) {
		return found{}, r.fault("resolve", ErrNotFound, fmt.Sprintf("the digest is of version %s, asked for is %s", showText(config.Version), r.want.text), "leave out the version or the digest")
	}
	return found{version: config.Version, digest: layer.digest}, nil
}

func (r *registryChart) resolveTag(ctx context.Context, tag string) (found, error) {
	layer, err := r.layer(ctx, tag)
	if err != nil {
		return found{}, err
	}
	return found{version: versionOf(tag), digest: layer.digest}, nil
}

// resolveExact asks for the tag, with and without v, before anything is listed.
func (r *registryChart) resolveExact(ctx context.Context) (found, error) {
	tag := tagOf(r.want.text)
	other, hadV := strings.CutPrefix(tag, "v")
	if !hadV {
		other = "v" + tag
	}
	at, err := r.resolveTag(ctx, tag)
	if !errors.Is(err, ErrNotFound) {
		return at, err
	}
	if at, err := r.resolveTag(ctx, other); !errors.Is(err, ErrNotFound) {
		return at, err
	}
	// The list is for the message only; if there is none, the first answer has to do.
	versions, listErr := r.versions(ctx)
	if listErr != nil {
		return found{}, err
	}
	detail, hint := r.want.without(versions)
	return found{}, r.fault("resolve", ErrNotFound, detail, hint)
}

func (r *registryChart) resolveConstraint(ctx context.Context) (found, error) {
	versions, err := r.versions(ctx)
	if err != nil {
		return found{}, err
	}
	picked, ok := r.want.pick(versions)
	if !ok {
		detail, hint := r.want.without(versions)
		return found{}, r.fault("resolve", ErrNotFound, detail, hint)
	}
	return r.resolveTag(ctx, tagOf(picked.text))
}

// versions lists the tags that are versions, as strictly as Helm does: a tag such as 1 or v1.2.3 is none.
func (r *registryChart) versions(ctx context.Context) ([]version, error) {
	var texts []string
	seen, size := 0, 0
	err := r.api.Tags(ctx, "", func(tags []string) error {
		if seen += max(len(tags), 1); seen > r.fetcher.options.MaxTags {
			return fmt.Errorf("%w: the registry lists more than %d tags", ErrTooLarge, r.fetcher.options.MaxTags)
		}
		for _, tag := range tags {
			if size += len(tag); len(tag) <= maxConstraint {
				texts = append(texts, versionOf(tag))
			}
		}
		if size > maxManifest {
			return fmt.Errorf("%w: the registry lists more than %d bytes of tags", ErrTooLarge, maxManifest)
		}
		return nil
	})
	if err != nil {
		return nil, r.fail(ctx, "list tags of", err)
	}
	return ranked(texts, semver.StrictNewVersion), nil
}

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

// archive implements place.
func (r *registryChart) archive(ctx context.Context, at found) ([]byte, error) {
	return r.blob(ctx, at.digest)
}

// locked implements place: a registry serves archives by digest, so the lock's is asked for. If it is gone, the tag
// tells whether another took its place.
func (r *registryChart) locked(ctx context.Context, lock v1alpha1.ChartLock) ([]byte, error) {
	data, err := r.blob(ctx, lock.Digest)
	if !errors.Is(err, ErrNotFound) {
		return data, err
	}
	if now, resolveErr := r.resolve(ctx); resolveErr == nil && now.digest != lock.Digest {
		return nil, tampered("fetch chart "+lock.Resolved+" of", r.name.shown(), now.digest, lock.Digest)
	}
	return nil, err
}

func (r *registryChart) blob(ctx context.Context, digest string) ([]byte, error) {
	return r.get(ctx, "fetch archive", digest, r.fetcher.options.MaxArchiveBytes)
}

// get reads a blob; the caller compares digests. Registries redirect blobs to where they are stored.
func (r *registryChart) get(ctx context.Context, op, digest string, limit int64) ([]byte, error) {
	u := r.name.url(r.api.PlainHTTP).JoinPath("blobs", digest)
	q := query{op: op, url: u, redirect: abroad, limit: limit}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, r.session.fail(ctx, q, err)
	}
	res, err := r.wire.send(req, abroad)
	if err != nil {
		return nil, r.session.fail(ctx, q, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, r.session.refused(q, res)
	}
	data, err := readBody(res, q)
	if err != nil {
		return nil, r.session.fail(ctx, q, err)
	}
	return data, nil
}

func (r *registryChart) fault(op string, kind error, detail, hint string) error {
	return &Error{Op: op, URL: r.name.shown(), Kind: kind, Detail: detail, Hint: hint}
}

// fail wraps what the registry's API ended in; the library's texts hold whole URLs.
func (r *registryChart) fail(ctx context.Context, op string, err error) error {
	var status *errcode.ErrorResponse
	switch {
	case errors.As(err, &status):
		last := r.name.url(r.api.PlainHTTP)
		if status.URL != nil {
			last = status.URL
		}
		e := &Error{Op: op, URL: r.name.shown(), Detail: fmt.Sprintf("answered %d", status.StatusCode)}
		e.Hint, e.Kind = r.session.judge(status.StatusCode, last)
		return e
	case errors.Is(err, errdef.ErrNotFound):
		return r.fault(op, ErrNotFound, "answered 404", "check the name and the version; some registries answer so when credentials are missing")
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize):
		return r.fault(op, ErrTampered, "the manifest is not the one its digest promises", "nothing is taken in its place")
	}
	return failure(ctx, op, r.name.shown(), err)
}
