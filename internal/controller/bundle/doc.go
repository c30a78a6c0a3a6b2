// Package bundle brings stored bundles up to date with their fleet: when a
// Bundle, a cluster's labels or a group changes, it has the bundles that this
// touches matched, rendered and planned again.
package bundle
