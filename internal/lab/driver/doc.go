// Package driver is what tests and benchmarks drive a fleet with: it starts
// `muster demo --headless` as a process, reads its contract, pushes commits,
// kills and freezes components, and reads audit logs and metrics. It sees only
// what a user of the demo sees.
package driver
