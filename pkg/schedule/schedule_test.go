package schedule_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-dev/muster/pkg/schedule"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func TestNextMoments(t *testing.T) {
	for name, test := range map[string]struct {
		expr, now string
		want      []string
	}{
		"every five minutes":      {"*/5 * * * *", "2026-03-01T10:02:11Z", []string{"2026-03-01T10:05:00Z", "2026-03-01T10:10:00Z"}},
		"exactly on a moment":     {"0 3 * * *", "2026-03-01T03:00:00Z", []string{"2026-03-02T03:00:00Z"}},
		"weekdays":                {"30 8 * * 1-5", "2026-03-06T09:00:00Z", []string{"2026-03-09T08:30:00Z"}},
		"descriptor":              {"@daily", "2026-03-01T10:00:00Z", []string{"2026-03-02T00:00:00Z"}},
		"interval":                {"@every 90s", "2026-03-01T10:00:00Z", []string{"2026-03-01T10:01:30Z", "2026-03-01T10:03:00Z"}},
		"time zone":               {"CRON_TZ=Europe/Berlin 0 3 * * *", "2026-07-01T00:00:00Z", []string{"2026-07-01T01:00:00Z"}},
		"short time zone":         {"TZ=America/New_York 0 3 * * *", "2026-07-01T00:00:00Z", []string{"2026-07-01T07:00:00Z"}},
		"leap day":                {"0 0 29 2 *", "2026-03-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
		"leap day over a century": {"0 0 29 2 *", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schedule.Parse(test.expr)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			now := at(t, test.now)
			for range test.want {
				now = s.Next(now)
				got = append(got, now.Format(time.RFC3339))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%q after %s (-want +got):\n%s", test.expr, test.now, diff)
			}
		})
	}
}

func TestWhatIsNoSchedule(t *testing.T) {
	for _, expr := range []string{
		"", "TZ=UTC", "CRON_TZ=UTC", "TZ=", "CRON_TZ= * * * * *", "TZ=Nowhere/Atall 0 3 * * *", "TZ=Local 0 3 * * *", "TZ=../../etc/passwd * * * * *",
		"TZ=UTC TZ=UTC * * * * *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * * *", "* * * * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *",
		"@never", "@every", "@every 0s", "@every 10ms", "@every -1h", "@every 1d", strings.Repeat("*", 300), "\x00 * * * *",
	} {
		if s, err := schedule.Parse(expr); !errors.Is(err, schedule.ErrInvalid) {
			t.Errorf("Parse(%q) = %v, %v, want ErrInvalid", expr, s, err)
		}
	}
}

func TestTheZeroScheduleHasNoMoments(t *testing.T) {
	var s schedule.Schedule
	if next := s.Next(at(t, "2026-01-01T00:00:00Z")); !next.IsZero() || !s.IsZero() {
		t.Errorf("Next = %v", next)
	}
}

func TestEveryHasAFloor(t *testing.T) {
	now := at(t, "2026-01-01T00:00:00Z")
	for d, want := range map[time.Duration]time.Duration{0: time.Second, -1: time.Second, 15 * time.Second: 15 * time.Second} {
		if got := schedule.Every(d).Next(now).Sub(now); got != want {
			t.Errorf("Every(%s) is %s, want %s", d, got, want)
		}
	}
}

func TestInterval(t *testing.T) {
	s, err := schedule.Parse("0 */6 * * *")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Interval(at(t, "2026-01-01T01:00:00Z")); got != 6*time.Hour {
		t.Errorf("Interval = %s, want 6h", got)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"15s": 15 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "300ms": 300 * time.Millisecond,
		"1.5h": 90 * time.Minute, "0": 0, "0s": 0,
	} {
		if got, err := schedule.ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"1d", "1w", "7d12h", "abc", "5x", "-1h", "5000000h", "", " 5m", strings.Repeat("1", 100) + "s"} {
		if _, err := schedule.ParseDuration(text); err == nil || !strings.Contains(err.Error(), "must be a valid Go duration") {
			t.Errorf("ParseDuration(%q) = %v, want it refused as no valid Go duration", text, err)
		}
	}
	if _, err := schedule.ParseDurationBetween("1s", time.Minute, time.Hour); err == nil {
		t.Error("1s is accepted although the least is 1m")
	}
	if _, err := schedule.ParseDurationBetween("2h", time.Minute, time.Hour); err == nil {
		t.Error("2h is accepted although the most is 1h")
	}
}

func TestJitterIsStableAndSpreads(t *testing.T) {
	const interval, repos = 15 * time.Minute, 1000
	buckets := map[int]int{}
	for i := range repos {
		key := fmt.Sprintf("default/repo-%d", i)
		got := schedule.Jitter(key, interval, 0.2)
		if got != schedule.Jitter(key, interval, 0.2) || got < 0 || got >= interval/5 {
			t.Fatalf("Jitter(%q) = %s", key, got)
		}
		buckets[int(got*10/(interval/5))]++
	}
	for i := range 10 {
		if n := buckets[i]; n < repos/10/2 || n > repos/10*2 {
			t.Errorf("tenth %d holds %d of %d", i, n, repos)
		}
	}
	for _, none := range []time.Duration{schedule.Jitter("a", 0, 1), schedule.Jitter("a", -1, 1), schedule.Jitter("a", time.Hour, 0), schedule.Jitter("a", time.Hour, -3)} {
		if none != 0 {
			t.Errorf("jitter of nothing = %s", none)
		}
	}
}

func TestBackoffDoublesUpToItsMost(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		-1: 0, 0: 0, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1_000_000: time.Minute,
	} {
		if got := schedule.Backoff(failures, time.Second, time.Minute); got != want {
			t.Errorf("Backoff(%d) = %s, want %s", failures, got, want)
		}
	}
}

func ExampleParse() {
	s, err := schedule.Parse("CRON_TZ=Europe/Berlin 30 2 * * 1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Next(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)))
	// Output: 2026-06-08 00:30:00 +0000 UTC
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"TZ=UTC", "CRON_TZ=UTC 0 0 * * *", "0 0 30 2 *", "*/5 1-3,7 ? JAN-MAR MON#2", "@every 1h", "@yearly", "TZ=\x00 * * * * *"} {
		f.Add(seed)
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := schedule.Parse(expr)
		if err != nil {
			return
		}
		if next := s.Next(now); !next.After(now) {
			t.Errorf("%q accepted, next after %s is %s", expr, now, next)
		}
	})
}
