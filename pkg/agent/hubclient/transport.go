package hubclient

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// newTransport returns a transport of one hub: few connections, HTTP/2 where
// the hub speaks it, certificates judged by hub time and pins.
func newTransport(o Options, clock *hubClock, pins func() []string) *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           func(ctx context.Context, n, a string) (net.Conn, error) { return dialer.DialContext(ctx, n, a) },
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          2,
		MaxIdleConnsPerHost:   2,
		IdleConnTimeout:       5 * time.Minute,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		DisableCompression:    true, // content is zstd, or small
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			// The chain is verified below: by hub time, and against pins.
			InsecureSkipVerify: true,
			VerifyConnection: func(cs tls.ConnectionState) error {
				return verifyChain(cs, o.RootCAs, pins(), clock)
			},
		},
	}
}

// verifyChain verifies the hub's certificate as crypto/tls would, with three
// differences. A pin names the only CAs that count, wherever they come from.
// Time is the hub's. And while the hub's time is unknown, a certificate that
// only the local clock calls out of date is accepted, since that clock may be a
// year off: nothing is believed but what the hub key signed, and from the
// first answer on the hub's time holds.
func verifyChain(cs tls.ConnectionState, roots *x509.CertPool, pins []string, clock *hubClock) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("the hub sent no certificate")
	}
	leaf := cs.PeerCertificates[0]
	opts := x509.VerifyOptions{DNSName: cs.ServerName, Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: clock.Now()}
	for _, c := range cs.PeerCertificates[1:] {
		opts.Intermediates.AddCert(c)
	}
	// A pinned CA that is in the presented chain is a root by its pin alone.
	if presented := pinned(cs.PeerCertificates, pins); len(presented) > 0 {
		opts.Roots = x509.NewCertPool()
		for _, c := range presented {
			opts.Roots.AddCert(c)
		}
	}
	chains, err := leaf.Verify(opts)
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired && !clock.isKnown() {
		opts.CurrentTime = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
		chains, err = leaf.Verify(opts)
	}
	if err != nil {
		return fmt.Errorf("the hub's certificate: %w", err)
	}
	if len(pins) == 0 {
		return nil
	}
	for _, chain := range chains {
		if len(pinned(chain, pins)) > 0 {
			return nil
		}
	}
	return errors.New("the hub's certificate is not signed by a pinned CA")
}

// pinned returns the certificates whose public key is pinned.
func pinned(certs []*x509.Certificate, pins []string) []*x509.Certificate {
	var found []*x509.Certificate
	for _, c := range certs {
		if slices.Contains(pins, CAHash(c)) {
			found = append(found, c)
		}
	}
	return found
}

// CAHash is how a pin names a certificate: SHA-256 of its SubjectPublicKeyInfo, hex.
func CAHash(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}
