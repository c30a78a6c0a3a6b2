// Package hubclient is how an agent talks to its hub: it joins, listens to its
// assignment, fetches content and reports, over one connection that it keeps
// open, with tokens signed by a key that never leaves the cluster. It trusts no
// clock but the hub's, and nothing that the hub key did not sign. It knows
// nothing of Kubernetes.
package hubclient
