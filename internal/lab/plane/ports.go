package plane

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are picked below Linux' ephemeral range: a port from within it may be
// taken by any outgoing connection between our look and the server's bind.
const (
	firstPort = 20000
	lastPort  = 32000
)

// FreePort finds a loopback port that nobody listens on.
func FreePort() (int, error) {
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free loopback port between %d and %d", firstPort, lastPort)
}
