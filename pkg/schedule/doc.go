// Package schedule says when something happens next: cron expressions, intervals, jitter and back-off. It works on
// values only; the caller says what time it is, and nothing here waits.
package schedule
