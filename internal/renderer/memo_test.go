package renderer_test

import (
	"fmt"
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

func TestTheMemoKnowsFewSetsOfQuestions(t *testing.T) {
	m := renderer.NewMemo(1 << 20)
	for i := range 100 {
		m.PutAnswers("a", map[string]string{fmt.Sprintf("question %d", i): ""}, time.Time{})
	}
	if got := m.Sets("a"); got != 16 {
		t.Errorf("%d sets of questions are known, want 16", got)
	}
	if got, want := m.Results(), 16; got != want {
		t.Errorf("%d results are remembered, want %d", got, want)
	}
}
