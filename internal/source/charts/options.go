package charts

import (
	"context"
	"net"
	"time"

	"github.com/muster-dev/muster/internal/source"
)

// Options bound what one hub spends on charts. The zero value of each field means its default.
type Options struct {
	// CacheDir is where archives are kept, by digest. Without it each fetch downloads.
	CacheDir string
	// MaxCacheBytes caps the archives in CacheDir, 1 GiB by default; those used longest ago make room.
	MaxCacheBytes int64
	// MaxArchiveBytes caps one archive, 20 MiB by default: Helm's own bound is of that order.
	MaxArchiveBytes int64
	// MaxIndexBytes caps an index.yaml, unpacked, 32 MiB by default: the largest public ones have about 25 MiB. Only the
	// charts that are asked for are parsed.
	MaxIndexBytes int64
	// MaxVersions caps the versions that are read of an index, 200,000 by default.
	MaxVersions int
	// MaxIndexMemory caps what is kept of indexes between calls, 64 MiB by default.
	MaxIndexMemory int64
	// MaxTags caps the tags that are listed of one OCI repository, 20,000 by default.
	MaxTags int
	// RequestTimeout ends one request with its redirects and body, 1 min by default; Timeout ends one call, 3 min by default.
	RequestTimeout, Timeout time.Duration
	// RetryDelay is the pause before a second attempt after an answer that says "later"; it doubles before the third and
	// last. 250 ms by default.
	RetryDelay time.Duration
	// FreshFor is how long an index, or that there is none, is taken as it was without asking the server, 15 s by
	// default: the charts of one repository share an index.
	FreshFor time.Duration
	// MaxCalls is how many calls work at a time, 8 by default, of which at most two with one server; the others wait.
	MaxCalls int
	// Dial opens every connection. The default refuses what is refused for Git: link-local addresses, where clouds
	// serve machine credentials. Proxies of the environment are not used.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Now is the clock, time.Now by default.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	orDefault(&o.MaxCacheBytes, 1<<30)
	orDefault(&o.MaxArchiveBytes, 20<<20)
	orDefault(&o.MaxIndexBytes, 32<<20)
	orDefault(&o.MaxVersions, 200_000)
	orDefault(&o.MaxIndexMemory, 64<<20)
	orDefault(&o.MaxTags, 20_000)
	orDefault(&o.RequestTimeout, time.Minute)
	orDefault(&o.Timeout, 3*time.Minute)
	orDefault(&o.RetryDelay, 250*time.Millisecond)
	orDefault(&o.FreshFor, 15*time.Second)
	orDefault(&o.MaxCalls, 8)
	if o.Dial == nil {
		o.Dial = source.GuardedDialer().DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func orDefault[T int | int64 | time.Duration](n *T, value T) {
	if *n <= 0 {
		*n = value
	}
}
