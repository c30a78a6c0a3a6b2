package renderer_test

import (
	"testing"
	"time"

	"github.com/muster-dev/muster/internal/renderer"
)

func TestTheMemoForgetsTheLeastUsedAndLimitsInTime(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := renderer.NewMemo(1500) // room for two small results
	m.Put("a", false, now)
	m.Put("b", false, now)
	m.Get("a", now)
	m.Put("c", false, now)
	for digest, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if got := m.Get(digest, now); got != want {
			t.Errorf("%s is remembered: got %v, want %v", digest, got, want)
		}
	}
	m.Put("limit", true, now)
	if !m.Get("limit", now.Add(time.Minute)) {
		t.Error("a hit limit is forgotten after a minute")
	}
	if m.Get("limit", now.Add(time.Hour)) {
		t.Error("a hit limit is still remembered after an hour")
	}
}
