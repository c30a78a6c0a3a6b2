package source

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const dialTimeout = 10 * time.Second

// awsMetadata6 is the one metadata service outside the link-local ranges.
var awsMetadata6 = netip.MustParseAddr("fd00:ec2::254")

// GuardedDialer checks the address after name resolution, so that no DNS answer leads to a cloud's metadata service.
// Whatever fetches what a user names dials with it.
func GuardedDialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, Control: func(_, addr string, _ syscall.RawConn) error {
		return checkDialed(addr)
	}}
}

func checkDialed(addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("dial %s: not an address", addr)
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == awsMetadata6 {
		return fmt.Errorf("dial %s: %w: link-local, multicast and unspecified addresses are refused", ip, ErrUntrusted)
	}
	return nil
}
