package source

import (
	"context"
	"net"
	"time"
)

// Options bound what one hub spends on repositories. The zero value of each field means its default.
type Options struct {
	// ListTimeout ends a listing of refs, 30 s by default. FetchTimeout ends a fetch, 5 min by default.
	ListTimeout, FetchTimeout time.Duration
	// MaxDiskBytes caps all mirrors together, 4 GiB by default. Idle mirrors make room first.
	MaxDiskBytes int64
	// MaxPackBytes caps one fetch as it travels, 256 MiB by default.
	MaxPackBytes int64
	// MaxObjectBytes caps one object, unpacked, 64 MiB by default. MaxUnpackedBytes caps all objects of one fetch,
	// 1 GiB by default. MaxObjects caps their number, 1,000,000 by default.
	MaxObjectBytes, MaxUnpackedBytes int64
	MaxObjects                       int
	// MaxFileBytes caps a file that is read from a snapshot, 8 MiB by default.
	MaxFileBytes int64
	// MaxEntries caps the files and directories one snapshot shows, 200,000 by default.
	MaxEntries int
	// MaxFetches is the number of fetches, and so of packs, after which a mirror is cloned anew, 64 by default.
	MaxFetches int
	// Dial opens every connection. The default refuses link-local addresses, where clouds serve machine credentials.
	// Proxies of the environment are not used.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (o Options) withDefaults() Options {
	orDuration(&o.ListTimeout, 30*time.Second)
	orDuration(&o.FetchTimeout, 5*time.Minute)
	orBytes(&o.MaxDiskBytes, 4<<30)
	orBytes(&o.MaxPackBytes, 256<<20)
	orBytes(&o.MaxObjectBytes, 64<<20)
	orBytes(&o.MaxUnpackedBytes, 1<<30)
	orBytes(&o.MaxFileBytes, 8<<20)
	orCount(&o.MaxObjects, 1_000_000)
	orCount(&o.MaxEntries, 200_000)
	orCount(&o.MaxFetches, 64)
	if o.Dial == nil {
		o.Dial = GuardedDialer().DialContext
	}
	return o
}

func orDuration(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

func orBytes(n *int64, value int64) {
	if *n <= 0 {
		*n = value
	}
}

func orCount(n *int, value int) {
	if *n <= 0 {
		*n = value
	}
}
