package charts

import (
	"context"
	"net/url"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// archiveURL is a chart at the URL of its archive.
type archiveURL struct {
	fetcher *Fetcher
	session *session
	url     *url.URL
}

func (f *Fetcher) newArchiveURL(ref bundle.ChartRef, c Credential) (*archiveURL, error) {
	u, err := parseHTTP("use chart", ref.Chart)
	if err != nil {
		return nil, err
	}
	s, err := newSession(f.options, c, u)
	if err != nil {
		return nil, err
	}
	return &archiveURL{fetcher: f, session: s, url: u}, nil
}

// resolve implements place. A URL has no version to choose.
func (a *archiveURL) resolve(ctx context.Context) (found, error) {
	return a.fetcher.measure(ctx, a.session, found{url: a.url})
}

// archive implements place.
func (a *archiveURL) archive(ctx context.Context, at found) ([]byte, error) {
	return a.fetcher.download(ctx, a.session, at.url)
}

// locked implements place.
func (a *archiveURL) locked(ctx context.Context, _ v1alpha1.ChartLock) ([]byte, error) {
	return a.fetcher.download(ctx, a.session, a.url)
}

// server implements place.
func (a *archiveURL) server() string { return a.session.bound.origin }

// close implements place.
func (a *archiveURL) close() { a.session.close() }

// measured is the digest of an archive as it was last seen.
type measured struct {
	digest     string
	validators validators
}

// measure learns an archive's digest by fetching it, unless the server says that it is as it was.
func (f *Fetcher) measure(ctx context.Context, s *session, at found) (found, error) {
	key := s.credential.identity() + " " + at.url.String()
	known, _ := f.archives.get(key)
	got, err := s.get(ctx, f.archiveQuery(at.url, known.validators))
	if err != nil {
		return found{}, err
	}
	if got.unchanged {
		at.digest = known.digest
		return at, nil
	}
	at.digest, at.data = digestOf(got.body), got.body
	f.archives.put(key, measured{digest: at.digest, validators: got.validators}, 1)
	return at, nil
}

func (f *Fetcher) download(ctx context.Context, s *session, u *url.URL) ([]byte, error) {
	got, err := s.get(ctx, f.archiveQuery(u, validators{}))
	return got.body, err
}

func (f *Fetcher) archiveQuery(u *url.URL, known validators) query {
	return query{op: "fetch archive", url: u, redirect: abroad, limit: f.options.MaxArchiveBytes, known: known}
}
