package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/muster-dev/muster/internal/lab/driver"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// readyWithin bounds the start of a fleet on two cold cores; startWithin leaves
// the demo time to say what was missing.
const (
	readyWithin = 3 * time.Minute
	startWithin = readyWithin + 30*time.Second
)

// shared is the fleet that the scenarios share, one after the other, each with
// a repository, a GitRepo and namespaces of its own. Between TestMain and the
// tests there is no other road than a variable.
var shared struct {
	once sync.Once
	demo *driver.Demo
	dir  string
	err  error
	// first is what the API servers saw until everything had come to rest.
	first map[string][]driver.Event
}

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard()) // its clients ask for one
	code := m.Run()
	if shared.demo != nil {
		// After Stop: the race detector also speaks when a process ends.
		err := shared.demo.Stop()
		alarms, logErr := shared.demo.Alarms()
		if err := errors.Join(err, logErr); err != nil || len(alarms) > 0 {
			fmt.Fprintln(os.Stderr, "the fleet ended badly:", err, strings.Join(alarms, "\n"))
			code = 1
		}
	}
	if shared.dir != "" {
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// fleet returns the shared fleet: canary-1, eu-1 and us-1 with the example
// repository, everything Ready.
func fleet(t *testing.T) *driver.Demo {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "muster-e2e-"); shared.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), startWithin)
		defer cancel()
		if shared.demo, shared.err = driver.Start(ctx, shared.dir, fmt.Sprintf("--ready-timeout=%s", readyWithin)); shared.err == nil {
			shared.err = installNeighbours(ctx, shared.demo)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	if shared.first == nil {
		settle(t, shared.demo)
		if shared.first, shared.err = shared.demo.Audit(nil); shared.err != nil {
			t.Fatal(shared.err)
		}
	}
	return shared.demo
}
