// Package e2e drives a whole fleet, as `muster demo --headless` starts it, the
// way its users would: commits, labels, kubectl, kill. Every scenario ends with
// what the API servers' audit logs say: nothing was deleted that was not meant
// to be, nothing unchanged was written, nobody else spoke.
package e2e
