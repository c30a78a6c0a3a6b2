package plane

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// fixtureServer is the name of the one API server of a test binary.
const fixtureServer = "test"

// fixtureTimeout bounds the start of a fixture on two cold and busy cores.
const fixtureTimeout = 3 * time.Minute

// fixture is the API server that the tests of one binary share. Between a
// binary's TestMain and its tests there is no other road than a variable.
type fixture struct {
	mu     sync.Mutex // guards all below
	shared bool       // Main runs: stop at the end of the binary, not of a test
	plane  *Plane
	dir    string
	hub    bool // CRDs are installed
	err    error
}

var testFixture fixture

// Main is the TestMain of a package whose tests use ForTest: the tests share
// one etcd and one API server, started by the first that asks, and nothing is
// left when they end.
func Main(m *testing.M) {
	testFixture.mu.Lock()
	testFixture.shared = true
	testFixture.mu.Unlock()
	code := m.Run()
	testFixture.stop()
	os.Exit(code)
}

// ForTest returns the administrator's config of a real API server with RBAC,
// without Muster's CRDs unless HubForTest was called before. With Main it is
// shared by the binary's tests, which use namespaces of their own; else it
// lives as long as the test. It fails the test when the binary is not built.
func ForTest(tb testing.TB) *rest.Config {
	tb.Helper()
	return ServerForTest(tb).Config()
}

// HubForTest is ForTest with Muster's CRDs installed and Established.
func HubForTest(tb testing.TB) *rest.Config {
	tb.Helper()
	config := ForTest(tb)
	if err := testFixture.installCRDs(config); err != nil {
		tb.Fatal(err)
	}
	return config
}

// ServerForTest is ForTest for tests that need other users' kubeconfigs too.
func ServerForTest(tb testing.TB) *Server {
	tb.Helper()
	f := &testFixture
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plane == nil && f.err == nil {
		f.startLocked()
		if !f.shared {
			tb.Cleanup(f.stop)
		}
	}
	if f.err != nil {
		tb.Fatal(f.err)
	}
	return f.plane.Server(fixtureServer)
}

func (f *fixture) startLocked() {
	if f.dir, f.err = os.MkdirTemp("", "muster-plane-"); f.err != nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), fixtureTimeout, fmt.Errorf("not ready after %s", fixtureTimeout))
	defer cancel()
	f.plane, f.err = Start(ctx, Options{Dir: f.dir, Servers: []string{fixtureServer}, Audit: true})
}

func (f *fixture) installCRDs(config *rest.Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hub {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), fixtureTimeout)
	defer cancel()
	err := InstallCRDs(ctx, config)
	f.hub = err == nil
	return err
}

func (f *fixture) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plane != nil {
		f.plane.Stop()
	}
	if f.dir != "" {
		if err := os.RemoveAll(f.dir); err != nil {
			fmt.Fprintln(os.Stderr, "remove the test's control plane:", err)
		}
	}
	f.plane, f.dir, f.err, f.hub = nil, "", nil, false
}
