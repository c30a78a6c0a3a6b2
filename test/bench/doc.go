// Package bench measures the whole line on real control planes and prints what it measured beside the budgets that
// docs/benchmarks.md explains.
package bench
