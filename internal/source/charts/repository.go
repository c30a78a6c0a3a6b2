package charts

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// repository is a chart in an HTTP repository.
type repository struct {
	fetcher *Fetcher
	session *session
	base    *url.URL
	ref     bundle.ChartRef
	want    wanted
}

func (f *Fetcher) newRepository(ref bundle.ChartRef, c Credential) (*repository, error) {
	base, err := parseHTTP("use repository", ref.Repo)
	if err != nil {
		return nil, err
	}
	want, err := parseWanted(ref.Version)
	if err != nil {
		return nil, invalidVersion(ref, err)
	}
	s, err := newSession(f.options, c, base)
	if err != nil {
		return nil, err
	}
	return &repository{fetcher: f, session: s, base: base, ref: ref, want: want}, nil
}

func invalidVersion(ref bundle.ChartRef, err error) error {
	return &Error{
		Op: "resolve chart " + showText(ref.Chart) + " of", URL: showText(ref.Repo), Kind: ErrInvalid,
		Detail: strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": "),
		Hint:   "write a version such as 1.2.3, a constraint such as ^1.2 or >=1.2 <2, or leave it out for the latest",
	}
}

// resolve implements origin.
func (r *repository) resolve(ctx context.Context) (found, error) {
	ix, err := r.fetcher.index(ctx, r.session, r.base)
	if err != nil {
		return found{}, err
	}
	op := "resolve chart " + showText(r.ref.Chart) + " of"
	releases, ok, err := ix.releases(r.ref.Chart)
	if err != nil {
		return found{}, failure(ctx, op, show(r.base), err)
	}
	if !ok {
		return found{}, &Error{Op: op, URL: show(r.base), Kind: ErrNotFound, Detail: "the index has no chart of this name", Hint: ix.similar(r.ref.Chart)}
	}
	texts := make([]string, len(releases))
	for i, release := range releases {
		texts[i] = release.version
	}
	versions := ranked(texts, semver.NewVersion)
	picked, ok := r.want.pick(versions)
	if !ok {
		detail, hint := r.want.without(versions)
		return found{}, &Error{Op: op, URL: show(r.base), Kind: ErrNotFound, Detail: detail, Hint: hint}
	}
	chosen := releases[picked.at]
	address, err := r.archiveURL(chosen.url)
	if err != nil {
		return found{}, err
	}
	return r.complete(ctx, found{version: chosen.version, digest: chosen.digest, url: address})
}

// complete finds the digest of an archive whose index does not tell it.
func (r *repository) complete(ctx context.Context, at found) (found, error) {
	if at.digest != "" {
		return at, nil
	}
	if !isOCI(at.url.String()) {
		return r.fetcher.measure(ctx, r.session, at)
	}
	chart, err := r.inRegistry(at)
	if err != nil {
		return found{}, err
	}
	defer chart.close()
	inside, err := chart.resolve(ctx)
	at.digest = inside.digest
	return at, err
}

// inRegistry is the chart at an oci:// URL that the index names. It lies outside of what the credential is bound to.
func (r *repository) inRegistry(at found) (*registryChart, error) {
	return r.fetcher.newRegistryChart(bundle.ChartRef{Chart: at.url.String()}, Credential{CABundle: r.session.credential.CABundle})
}

// archive implements place.
func (r *repository) archive(ctx context.Context, at found) ([]byte, error) {
	if !isOCI(at.url.String()) {
		return r.fetcher.download(ctx, r.session, at.url)
	}
	chart, err := r.inRegistry(at)
	if err != nil {
		return nil, err
	}
	defer chart.close()
	if at.digest != "" {
		return chart.blob(ctx, at.digest)
	}
	inside, err := chart.resolve(ctx)
	if err != nil {
		return nil, err
	}
	return chart.archive(ctx, inside)
}

// locked implements place: the version has to be there still.
func (r *repository) locked(ctx context.Context, lock v1alpha1.ChartLock) ([]byte, error) {
	at, err := r.resolve(ctx)
	if err != nil {
		return nil, err
	}
	if at.version != lock.Resolved {
		return nil, &Error{
			Op: "fetch chart " + showText(lock.Chart) + " of", URL: show(r.base), Kind: ErrNotFound,
			Detail: fmt.Sprintf("the locked version %s is not there any more", lock.Resolved), Hint: "resolve the chart again",
		}
	}
	if at.data != nil {
		return at.data, nil
	}
	return r.archive(ctx, at)
}

// server implements place.
func (r *repository) server() string { return r.session.bound.origin }

// close implements place.
func (r *repository) close() { r.session.close() }

// archiveURL is where an index's entry lies, as Helm reads it: relative to the repository and with its query.
func (r *repository) archiveURL(text string) (*url.URL, error) {
	const op = "use archive URL of index of"
	invalid := &Error{Op: op, URL: show(r.base), Kind: ErrProtocol, Detail: "the index names no usable URL for chart " + showText(r.ref.Chart)}
	relative, err := url.Parse(text)
	if err != nil || text == "" {
		return nil, invalid
	}
	if isOCI(text) {
		if _, err := parseOCI(op, text); err != nil {
			return nil, invalid
		}
		return relative, nil
	}
	if relative.IsAbs() {
		u, err := parseHTTP(op, text)
		if err != nil {
			return nil, invalid
		}
		return u, nil
	}
	base := below(r.base, "")
	u := base.ResolveReference(relative)
	u.RawQuery = base.RawQuery
	return u, nil
}
