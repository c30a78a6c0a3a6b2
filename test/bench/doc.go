// Package bench measures the whole line on real control planes and prints what it measured beside the budgets that
// docs/benchmarks.md explains. It drives `muster demo --headless` and sees what a user of it sees: watches, audit logs,
// the API servers' own metrics, /proc. It knows nothing of the product's packages but the API types.
//
// Counts and ratios are held to limits with headroom; times are printed, never asserted, since they speak of the machine.
package bench
