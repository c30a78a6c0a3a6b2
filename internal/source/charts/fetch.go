package charts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"

	"github.com/muster-dev/muster/pkg/api/v1alpha1"
	"github.com/muster-dev/muster/pkg/bundle"
)

// Fetcher resolves and fetches charts. It is safe for concurrent use and keeps what it has read, each for those who
// come with the same credential.
type Fetcher struct {
	options Options
	// gates let one call at a time read an index; calls bound the work at one server and in all.
	gates, servers, calls *gates
	indexes               *recent[cachedIndex]
	archives              *recent[measured]
	manifests             *recent[chartLayer]
	store                 *store
}

// Chart is a fetched archive and what it was resolved to.
type Chart struct {
	// Lock says which version and digest the archive has.
	Lock v1alpha1.ChartLock
	// Archive is the .tgz.
	Archive []byte
}

// maxAtServer is how many calls work with one server at a time.
const maxAtServer = 2

// maxRemembered is how many archives' validators and manifests are kept.
const maxRemembered = 4096

// New makes a Fetcher. The cache directory is made when the first archive is stored.
func New(o Options) *Fetcher {
	o = o.withDefaults()
	return &Fetcher{
		options: o, gates: newGates(1), servers: newGates(maxAtServer), calls: newGates(o.MaxCalls),
		indexes:   newRecent[cachedIndex](o.MaxIndexMemory),
		archives:  newRecent[measured](maxRemembered),
		manifests: newRecent[chartLayer](maxRemembered),
		store:     newStore(o.CacheDir, o.MaxCacheBytes, o.MaxArchiveBytes, o.Now),
	}
}

// found is a chart that a constraint was resolved to.
type found struct {
	version, digest string
	// url is where an archive of an HTTP repository lies.
	url *url.URL
	// data is the archive, if it had to be fetched to learn its digest.
	data []byte
}

// place is where a chart comes from: an HTTP repository, a registry or a URL.
type place interface {
	// resolve finds the version that is wanted and its archive's digest.
	resolve(ctx context.Context) (found, error)
	// server tells where it is asked first.
	server() string
	// archive fetches what resolve found.
	archive(ctx context.Context, at found) ([]byte, error)
	// locked fetches the archive of a lock. The caller compares digests.
	locked(ctx context.Context, lock v1alpha1.ChartLock) ([]byte, error)
	close()
}

var (
	_ place = (*repository)(nil)
	_ place = (*registryChart)(nil)
	_ place = (*archiveURL)(nil)
)

// place parses a reference. Nothing is sent yet.
func (f *Fetcher) place(ref bundle.ChartRef, c Credential) (place, error) {
	switch {
	case ociText(ref) != "":
		return f.newRegistryChart(ref, c)
	case ref.Repo != "":
		return f.newRepository(ref, c)
	default:
		return f.newArchiveURL(ref, c)
	}
}

// Resolve finds the version and digest that a reference means now. It asks only whether something changed where the
// server can tell, and downloads an archive only if nothing else tells its digest.
func (f *Fetcher) Resolve(ctx context.Context, ref bundle.ChartRef, c Credential) (v1alpha1.ChartLock, error) {
	var lock v1alpha1.ChartLock
	err := f.call(ctx, ref, c, func(ctx context.Context, p place) error {
		at, err := p.resolve(ctx)
		if err == nil {
			lock = ref.Lock(at.version, at.digest)
			f.keep(c, at.digest, at.data)
		}
		return err
	})
	return lock, err
}

// Fetch resolves a reference and fetches the archive, unless it is in the cache.
func (f *Fetcher) Fetch(ctx context.Context, ref bundle.ChartRef, c Credential) (Chart, error) {
	var chart Chart
	err := f.call(ctx, ref, c, func(ctx context.Context, p place) error {
		at, err := p.resolve(ctx)
		if err != nil {
			return err
		}
		chart.Lock = ref.Lock(at.version, at.digest)
		chart.Archive, err = f.obtain(c, chart.Lock, func() ([]byte, error) {
			if at.data != nil {
				return at.data, nil
			}
			return p.archive(ctx, at)
		})
		return err
	})
	if err != nil {
		return Chart{}, err
	}
	return chart, nil
}

// FetchLocked gives exactly the archive of a lock, from the cache or from where the lock says. An archive with another
// digest is ErrTampered, whoever it comes from, and nothing is taken in its place.
func (f *Fetcher) FetchLocked(ctx context.Context, lock v1alpha1.ChartLock, c Credential) (Chart, error) {
	if !validDigest(lock.Digest) {
		return Chart{}, &Error{Op: "fetch locked chart", URL: showLock(lock), Kind: ErrInvalid, Detail: "the lock has no sha256 digest", Hint: "resolve the chart again"}
	}
	if lock.Resolved == "" && lock.Repo != "" {
		return Chart{}, &Error{Op: "fetch locked chart", URL: showLock(lock), Kind: ErrInvalid, Detail: "the lock has no version", Hint: "resolve the chart again"}
	}
	chart := Chart{Lock: lock}
	err := f.call(ctx, lockedRef(lock), c, func(ctx context.Context, p place) error {
		var err error
		chart.Archive, err = f.obtain(c, lock, func() ([]byte, error) { return p.locked(ctx, lock) })
		return err
	})
	if err != nil {
		return Chart{}, err
	}
	return chart, nil
}

// lockedRef means the locked version and no other. A reference to a registry that has a tag or digest says so itself,
// and its tag may be no version.
func lockedRef(lock v1alpha1.ChartLock) bundle.ChartRef {
	ref := bundle.ChartRef{Repo: lock.Repo, Chart: lock.Chart, Version: lock.Resolved}
	if text := ociText(ref); text != "" {
		if name, err := parseOCI("fetch", text); err == nil && name.tag+name.digest != "" {
			ref.Version = ""
		}
	}
	return ref
}

// call gives work its turn, its place and its deadline.
func (f *Fetcher) call(ctx context.Context, ref bundle.ChartRef, c Credential, work func(context.Context, place) error) error {
	p, err := f.place(ref, c)
	if err != nil {
		return err
	}
	defer p.close()
	// The server's turn comes first, so that a server that hangs holds few of all the turns.
	for _, turn := range []struct {
		gates *gates
		key   string
	}{{f.servers, p.server()}, {f.calls, ""}} {
		leave, err := turn.gates.enter(ctx, turn.key)
		if err != nil {
			return failure(ctx, "reach", p.server(), err)
		}
		defer leave()
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.Timeout)
	defer cancel()
	return work(ctx, p)
}

// obtain takes an archive from the cache, or gets and keeps it. It is the one place where digests are compared.
func (f *Fetcher) obtain(c Credential, lock v1alpha1.ChartLock, get func() ([]byte, error)) ([]byte, error) {
	access := c.identity()
	data, ok, err := f.store.get(access, lock.Digest)
	if err != nil || ok {
		return data, err
	}
	if data, err = get(); err != nil {
		return nil, err
	}
	if got := digestOf(data); got != lock.Digest {
		return nil, tampered("fetch chart "+lock.Resolved, showLock(lock), got, lock.Digest)
	}
	if !bytes.HasPrefix(data, gzipMagic) {
		return nil, &Error{Op: "fetch chart", URL: showLock(lock), Kind: ErrProtocol, Detail: "the answer is no .tgz archive", Hint: "does the URL lead to the archive itself, not to a page about it?"}
	}
	f.keep(c, lock.Digest, data)
	return data, nil
}

// keep stores an archive. That it could not be stored costs a download later, so it is no error now.
func (f *Fetcher) keep(c Credential, digest string, data []byte) {
	if data != nil && bytes.HasPrefix(data, gzipMagic) {
		f.store.put(c.identity(), digest, data)
	}
}

// gzipMagic starts every archive.
var gzipMagic = []byte{0x1f, 0x8b}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return digestPrefix + hex.EncodeToString(sum[:])
}

func tampered(op, shown, got, want string) error {
	return &Error{
		Op: op, URL: shown, Kind: ErrTampered,
		Detail: fmt.Sprintf("the archive is %s, expected is %s", got, want),
		Hint:   "a published version was replaced, or somebody changed the archive on its way; nothing is taken in its place",
	}
}

func showLock(lock v1alpha1.ChartLock) string {
	if lock.Repo == "" {
		return showText(lock.Chart)
	}
	return showText(lock.Repo) + " " + showText(lock.Chart)
}
