package charts

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
)

// cachedIndex is an index as it was last read, and when the server last said that it still is, or gave no answer.
type cachedIndex struct {
	index      *index
	validators validators
	checked    time.Time
	// failed is why the last question had no answer. It is kept as long as an answer is, so that the charts of a server
	// that hangs do not wait for it one after the other.
	failed error
}

// cost is the memory an index takes.
func (c cachedIndex) cost() int64 {
	if c.index == nil {
		return entryCost
	}
	return c.index.size() + entryCost
}

// index reads the index of a repository, or takes the one that was read. Calls for the same one wait for each other,
// so that the charts of one repository cost one request.
func (f *Fetcher) index(ctx context.Context, s *session, base *url.URL) (*index, error) {
	key := s.credential.identity() + " " + base.String()
	leave, err := f.gates.enter(ctx, key)
	if err != nil {
		return nil, failure(ctx, "fetch index of", show(base), err)
	}
	defer leave()
	cached, _ := f.indexes.get(key)
	if f.options.Now().Sub(cached.checked) < f.options.FreshFor {
		return cached.index, cached.failed
	}
	now, err := f.readIndex(ctx, s, base, cached)
	if err != nil && ctx.Err() != nil {
		return nil, err // perhaps the caller's doing, so nothing for others
	}
	if err != nil {
		now = cachedIndex{index: cached.index, validators: cached.validators, checked: f.options.Now(), failed: err}
	}
	f.indexes.put(key, now, now.cost())
	return now.index, now.failed
}

func (f *Fetcher) readIndex(ctx context.Context, s *session, base *url.URL, cached cachedIndex) (cachedIndex, error) {
	q := query{op: "fetch index", url: below(base, "index.yaml"), redirect: abroad, limit: f.options.MaxIndexBytes, known: cached.validators, packed: true}
	got, err := s.get(ctx, q)
	if err != nil {
		return cachedIndex{}, err
	}
	checked := f.options.Now()
	if got.unchanged {
		cached.checked, cached.failed = checked, nil
		return cached, nil
	}
	// One at a time: parsing takes several times the memory of what it reads. Most indexes are only cut here.
	leave, err := f.gates.enter(ctx, "parse")
	if err != nil {
		return cachedIndex{}, s.fail(ctx, q, err)
	}
	defer leave()
	ix, err := parseIndex(got.body, f.options.MaxVersions)
	if err != nil {
		return cachedIndex{}, s.fail(ctx, q, err)
	}
	return cachedIndex{index: ix, validators: got.validators, checked: checked}, nil
}

// below is the URL of a file in a directory. What the user encoded stays so.
func below(directory *url.URL, file string) *url.URL {
	u := *directory
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + file
	if u.RawPath != "" {
		u.RawPath = strings.TrimSuffix(u.RawPath, "/") + "/" + file
	}
	return &u
}

// maxSimilar bounds how many names a message proposes.
const maxSimilar = 5

// similar proposes names of charts that contain the wanted one or are contained in it, or simply the first.
func (ix *index) similar(name string) string {
	all := ix.names()
	if len(all) == 0 {
		return "the index lists no charts"
	}
	var near []string
	for _, other := range all {
		if name != "" && (strings.Contains(strings.ToLower(other), strings.ToLower(name)) || strings.Contains(strings.ToLower(name), strings.ToLower(other))) {
			near = append(near, other)
		}
	}
	if len(near) == 0 {
		near = all
	}
	slices.SortFunc(near, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return "it has " + strings.Join(near[:min(len(near), maxSimilar)], ", ")
}
