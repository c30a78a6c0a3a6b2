package gateway

import (
	"net/http"
	"time"
)

// NewServer returns a server with the bounds that agents' requests need. Bodies
// and streams have their own deadlines, which a bound on the whole answer
// would break. HTTP/2 is served without TLS too, for proxies that end it.
func NewServer(address string, handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Addr:              address,
		Handler:           handler,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}
