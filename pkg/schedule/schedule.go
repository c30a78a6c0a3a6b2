package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is a series of moments. The zero value has none.
type Schedule struct {
	spec  *cron.SpecSchedule
	every time.Duration
	text  string
}

// ErrInvalid means that a text is no schedule or duration we accept.
var ErrInvalid = errors.New("invalid schedule")

const (
	// maxExpression bounds a cron expression, time zone included.
	maxExpression = 256
	// minEvery is the shortest interval; cron's own resolution.
	minEvery = time.Second
)

// Parse reads a standard cron expression of five fields (minute, hour, day of month, month, day of week), a descriptor
// such as @daily, or "@every 5m". A leading "CRON_TZ=Europe/Berlin " or "TZ=..." sets the time zone, UTC without it.
// An expression that never comes true is an error.
func Parse(expr string) (Schedule, error) {
	if len(expr) > maxExpression {
		return Schedule{}, fmt.Errorf("%w: longer than %d characters", ErrInvalid, maxExpression)
	}
	zone, fields, err := splitZone(strings.TrimSpace(expr))
	if err != nil {
		return Schedule{}, fmt.Errorf("%w %q: %w", ErrInvalid, expr, err)
	}
	if interval, ok := strings.CutPrefix(fields, "@every "); ok {
		return parseEvery(expr, interval)
	}
	spec, err := parseFields(fields)
	if err != nil {
		return Schedule{}, fmt.Errorf("%w %q: %w", ErrInvalid, expr, err)
	}
	spec.Location = zone
	s := Schedule{spec: spec, text: expr}
	if !s.everFires() {
		return Schedule{}, fmt.Errorf("%w %q: no such day ever comes", ErrInvalid, expr)
	}
	return s, nil
}

// splitZone takes the time zone off, because the library panics on "TZ=UTC" with nothing behind it and otherwise
// falls back to the machine's own zone, which differs between replicas.
func splitZone(expr string) (*time.Location, string, error) {
	rest, ok := strings.CutPrefix(expr, "CRON_TZ=")
	if !ok {
		rest, ok = strings.CutPrefix(expr, "TZ=")
	}
	if !ok {
		return time.UTC, expr, nil
	}
	name, fields, found := strings.Cut(rest, " ")
	if !found || name == "" || name == "Local" {
		return nil, "", errors.New(`a time zone is written "CRON_TZ=Europe/Berlin 0 3 * * *"`)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, "", fmt.Errorf("unknown time zone %q", name)
	}
	return zone, strings.TrimSpace(fields), nil
}

func parseEvery(expr, interval string) (Schedule, error) {
	d, err := ParseDuration(strings.TrimSpace(interval))
	if err == nil && d < minEvery {
		err = fmt.Errorf("shorter than %s", minEvery)
	}
	if err != nil {
		return Schedule{}, fmt.Errorf("%w %q: %w", ErrInvalid, expr, err)
	}
	return Schedule{every: d, text: expr}, nil
}

// parseFields calls the library, which has panicked on input before.
func parseFields(fields string) (spec *cron.SpecSchedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			spec, err = nil, errors.New("not a cron expression")
		}
	}()
	if strings.Contains(fields, "TZ=") {
		return nil, errors.New("a second time zone")
	}
	parsed, err := cron.ParseStandard(fields)
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("not a cron expression")
	}
	return spec, nil
}

// everFires looks from a leap year's start, so that 29 February counts as a day that comes.
func (s Schedule) everFires() bool {
	return !s.spec.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero()
}

// Every is a schedule whose next moment is always d away; d below a second counts as a second.
func Every(d time.Duration) Schedule {
	d = max(d, minEvery)
	return Schedule{every: d, text: "@every " + d.String()}
}

// IsZero tells whether the schedule has no moments at all.
func (s Schedule) IsZero() bool { return s.spec == nil && s.every == 0 }

// String is the expression as it was written.
func (s Schedule) String() string { return s.text }

// Next is the first moment after now, in now's time zone; the zero time for the zero schedule.
func (s Schedule) Next(now time.Time) time.Time {
	switch {
	case s.every > 0:
		return now.Add(s.every)
	case s.spec == nil:
		return time.Time{}
	}
	// The library looks five years ahead, and 29 February can be eight years away (2096 to 2104).
	for ahead := range 2 {
		if next := s.spec.Next(now.AddDate(5*ahead, 0, 0)); !next.IsZero() {
			return next.In(now.Location())
		}
	}
	return time.Time{}
}

// Interval is the time from now's next moment to the one after: what jitter is a fraction of.
func (s Schedule) Interval(now time.Time) time.Duration {
	next := s.Next(now)
	if next.IsZero() {
		return 0
	}
	return s.Next(next).Sub(next)
}
