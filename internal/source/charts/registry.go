package charts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
