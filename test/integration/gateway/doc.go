// Package gateway runs the gateway and its client against a real API
// server: what compare-and-swap, watches and conflicts really do.
package gateway
