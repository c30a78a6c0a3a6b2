// Package lab runs a whole fleet on this machine: a hub and clusters that are
// real API servers, the manager, agents, a Git server and what plays the
// kubelets. It is `muster demo`, and the harness of tests and benchmarks. It
// drives the shipped programs from outside and shares no logic with them.
package lab
