package status_test

import (
	"fmt"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/muster-dev/muster/internal/controller/status"
)

func controllerAt(now time.Time) (*status.Controller, *clocktesting.FakeClock) {
	clk := clocktesting.NewFakeClock(now)
	return status.New(nil, "muster-system", clk), clk
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestASettledStatusIsWrittenAtOnce(t *testing.T) {
	c, clk := controllerAt(start)
	if wait := c.WaitsFor("default/app", false); wait != 0 {
		t.Errorf("settled from the start: waits %s", wait)
	}
	c.WaitsFor("default/app", true)
	clk.Step(10 * time.Millisecond)
	if wait := c.WaitsFor("default/app", false); wait != 0 {
		t.Errorf("settled after moving: waits %s", wait)
	}
}

func TestAMovingStatusIsWrittenOnlyIfItStaysSo(t *testing.T) {
	c, clk := controllerAt(start)
	if wait := c.WaitsFor("default/app", true); wait != status.Settle {
		t.Fatalf("first look waits %s, want %s", wait, status.Settle)
	}
	clk.Step(status.Settle / 5)
	if wait := c.WaitsFor("default/app", true); wait != status.Settle*4/5 {
		t.Errorf("second look waits %s, want the rest", wait)
	}
	clk.Step(status.Settle * 4 / 5)
	if wait := c.WaitsFor("default/app", true); wait != 0 {
		t.Errorf("after its settle it waits %s", wait)
	}
	if wait := c.WaitsFor("default/app", true); wait != status.Settle {
		t.Errorf("the next move waits %s, want a settle of its own", wait)
	}
}

func TestManyMovingBundlesShareARateAndGitReposDoNot(t *testing.T) {
	c, _ := controllerAt(start)
	var last time.Duration
	for i := range 50 {
		last = c.WaitsFor(fmt.Sprintf("default/app-%d", i), true)
	}
	if last <= status.Settle {
		t.Errorf("the 50th moving bundle waits %s, want more than %s", last, status.Settle)
	}
	if wait := c.WaitsForRepo("default/fleet", true); wait != status.Settle {
		t.Errorf("a GitRepo beside them waits %s, want %s", wait, status.Settle)
	}
}
