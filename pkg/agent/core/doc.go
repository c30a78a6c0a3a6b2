// Package core decides what an agent does. It is a state machine over values:
// Step takes one event, Ready returns the effects that are due, the caller
// performs them and steps their results back in. It knows no client, no clock
// and no goroutine, so that a simulator can crash it between any two effects.
package core
