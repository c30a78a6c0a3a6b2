package schedule

import (
	"fmt"
	"time"
)

// maxDuration is the text length above which nothing is parsed.
const maxDuration = 64

// ParseDuration reads what Go's time.ParseDuration reads and is not negative: "15s", "1h30m", "1.5h", "0". Days and
// weeks are refused, as Rancher Fleet refuses them.
func ParseDuration(text string) (time.Duration, error) {
	if len(text) > maxDuration {
		return 0, fmt.Errorf("%w: must be a valid Go duration, and shorter than %d characters", ErrInvalid, maxDuration)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%w: %q must be a valid Go duration, such as 15s, 5m or 1h30m", ErrInvalid, text)
	}
	return d, nil
}

// ParseDurationBetween is ParseDuration with bounds, both allowed.
func ParseDurationBetween(text string, least, most time.Duration) (time.Duration, error) {
	d, err := ParseDuration(text)
	if err != nil {
		return 0, err
	}
	if d < least || d > most {
		return 0, fmt.Errorf("%w: %q must be between %s and %s", ErrInvalid, text, least, most)
	}
	return d, nil
}
